//! Making the packets of a run equally long, so that the kernel can send them as one message
//! (UDP_SEGMENT: only the last may be shorter).

use crate::limits::EQUALISE_PERCENT_MIN;
use bedside_srtp::limits::PADDING_BYTES_MAX;

/// A packet in a run that goes to one destination.
pub(super) trait Padded {
    /// Its length without padding, bytes; `None` if it cannot be padded.
    fn bytes(&self) -> Option<usize>;
    /// Decides on its padding, bytes.
    fn pad(&mut self, bytes: usize);
}

/// Pads `packets`, in order, in groups: each group's packets up to its longest where that costs
/// at most a few percent, its last one not at all where it is shorter than that.
pub(super) fn equalise(packets: &mut [impl Padded]) {
    let mut rest = packets;
    while !rest.is_empty() {
        let (group_count, longest) = next_group(rest);
        let (group, after) = rest.split_at_mut(group_count);
        if group_count > 1 {
            let last = group_count - 1;
            for (index, packet) in group.iter_mut().enumerate() {
                let Some(bytes) = packet.bytes() else {
                    continue;
                };
                if index < last {
                    packet.pad(longest - bytes);
                }
            }
        }
        rest = after;
    }
}

/// How many packets from the first make one group, and the length of its longest.
fn next_group(packets: &[impl Padded]) -> (usize, usize) {
    let Some(first) = packets.first().and_then(Padded::bytes) else {
        return (1, 0);
    };
    let (mut shortest, mut longest) = (first, first);
    for (index, packet) in packets.iter().enumerate().skip(1) {
        let Some(bytes) = packet.bytes() else {
            return (index, longest);
        };
        let (shorter, longer) = (shortest.min(bytes), longest.max(bytes));
        let cheap =
            shorter * 100 >= longer * EQUALISE_PERCENT_MIN && longer - shorter <= PADDING_BYTES_MAX;
        if !cheap {
            // One that is much shorter can still be the last.
            let count = if bytes < shortest { index + 1 } else { index };
            return (count, longest);
        }
        (shortest, longest) = (shorter, longer);
    }
    (packets.len(), longest)
}

#[cfg(test)]
mod tests;
