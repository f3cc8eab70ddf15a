//! What participants send: packets shaped as an encoder makes them, or recorded ones.

mod stamp;

pub use stamp::Stamp;

#[cfg(test)]
mod tests;
