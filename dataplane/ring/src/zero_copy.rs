//! Whether a socket sends without copying, learnt from what the kernel reports.
//!
//! A copy of 16 KiB that is warm in the cache is cheap, and where the kernel copies after all
//! (loopback, veth, a device without scatter-gather) a zero-copy send costs a notification on top:
//! measured on loopback 294 against 235 ns a datagram at 16 segments. So a socket starts with
//! copies, tries zero-copy now and then, keeps it only while nothing is copied.

use crate::limits::{
    ZERO_COPY_BYTES_MIN, ZERO_COPY_TRIAL_FIRST, ZERO_COPY_TRIAL_MAX, ZERO_COPY_TRIALS_TO_TURN_ON,
};

/// The decision for one socket.
#[derive(Debug)]
pub(crate) struct ZeroCopy {
    state: State,
    /// Eligible messages to let pass before the next trial, doubled at each failure.
    interval: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Never: by configuration, or because the kernel cannot report.
    Disabled,
    /// Copies; `left` eligible messages until the next trial.
    Copying { left: u32 },
    /// One message is on trial; `succeeded` before it were not copied.
    Trying { succeeded: u8, outstanding: bool },
    /// Does not copy.
    On,
}

impl ZeroCopy {
    pub(crate) fn new(enabled: bool) -> Self {
        let state = if enabled {
            State::Copying {
                left: ZERO_COPY_TRIAL_FIRST,
            }
        } else {
            State::Disabled
        };
        Self {
            state,
            interval: ZERO_COPY_TRIAL_FIRST,
        }
    }

    /// Whether to send this message of `bytes` without a copy.
    pub(crate) fn choose(&mut self, bytes: usize) -> bool {
        if bytes < ZERO_COPY_BYTES_MIN {
            return false;
        }
        match &mut self.state {
            State::Disabled => false,
            State::Copying { left } if *left > 0 => {
                *left -= 1;
                false
            }
            State::Copying { .. } => {
                self.state = State::Trying {
                    succeeded: 0,
                    outstanding: true,
                };
                true
            }
            State::Trying { outstanding, .. } => !std::mem::replace(outstanding, true),
            State::On => true,
        }
    }

    /// The kernel is done with a message sent without a copy, and says whether it copied.
    pub(crate) fn reported(&mut self, copied: bool) {
        if copied {
            self.back_off();
            return;
        }
        if let State::Trying { succeeded, .. } = self.state {
            let succeeded = succeeded + 1;
            self.state = if succeeded < ZERO_COPY_TRIALS_TO_TURN_ON {
                State::Trying {
                    succeeded,
                    outstanding: false,
                }
            } else {
                State::On
            };
        }
    }

    /// The kernel refused a message sent without a copy: for want of lockable memory, say.
    pub(crate) fn failed(&mut self) {
        self.back_off();
    }

    fn back_off(&mut self) {
        // Reports of several messages may come after the first of them turned it off.
        if matches!(self.state, State::Trying { .. } | State::On) {
            self.interval = self.interval.saturating_mul(2).min(ZERO_COPY_TRIAL_MAX);
            self.state = State::Copying {
                left: self.interval,
            };
        }
    }
}

#[cfg(test)]
mod tests;
