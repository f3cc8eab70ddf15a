//! What participants send: packets shaped as an encoder makes them, or recorded ones.
