//! The ramp: how much load a server carries within a stated bound on latency and loss.
