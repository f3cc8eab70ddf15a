//! Where rooms, peers, tracks and subscriptions live: slots that are reused, named by handles
//! that are not.

use std::fmt;
use std::marker::PhantomData;

/// Names one value of an [`Arena`]; names nothing once that was removed.
pub(super) struct Handle<T> {
    index: u32,
    version: u32,
    of: PhantomData<fn() -> T>,
}

#[cfg(test)]
impl<T> Handle<T> {
    pub(super) fn of_nothing() -> Self {
        Self {
            index: u32::MAX,
            version: 0,
            of: PhantomData,
        }
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.version) == (other.index, other.version)
    }
}

impl<T> Eq for Handle<T> {}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.index, self.version)
    }
}

/// Values in slots. Look-up is an index and a comparison.
pub(super) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

struct Slot<T> {
    version: u32,
    value: Option<T>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Arena<T> {
    /// Takes a value.
    ///
    /// # Panics
    /// With 2^32 values alive, which is more than memory holds.
    pub(super) fn insert(&mut self, value: T) -> Handle<T> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                version: 0,
                value: None,
            });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 values are alive")
        });
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        Handle {
            index,
            version: slot.version,
            of: PhantomData,
        }
    }

    /// Gives a value back; its handle names nothing from then on.
    pub(super) fn remove(&mut self, handle: Handle<T>) -> Option<T> {
        let slot = self.slots.get_mut(handle.index as usize)?;
        if slot.version != handle.version {
            return None;
        }
        let value = slot.value.take()?;
        slot.version = slot.version.wrapping_add(1);
        self.free.push(handle.index);
        Some(value)
    }

    pub(super) fn get(&self, handle: Handle<T>) -> Option<&T> {
        let slot = self.slots.get(handle.index as usize)?;
        slot.value
            .as_ref()
            .filter(|_| slot.version == handle.version)
    }

    pub(super) fn get_mut(&mut self, handle: Handle<T>) -> Option<&mut T> {
        let slot = self.slots.get_mut(handle.index as usize)?;
        slot.value
            .as_mut()
            .filter(|_| slot.version == handle.version)
    }
}

#[cfg(test)]
mod tests;
