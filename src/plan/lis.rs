//! Which of the rules already in a chain can remain where they are.

/// The positions of a longest strictly increasing subsequence of `values`, in order. Takes
/// n log n steps.
pub(super) fn longest_increasing(values: &[usize]) -> Vec<usize> {
    // `ends[l]` is the position of the smallest value that ends a subsequence of length l + 1.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(values.len());
    for (position, value) in values.iter().enumerate() {
        let length = ends.partition_point(|end| values[*end] < *value);
        previous.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() {
            ends.push(position);
        } else {
            ends[length] = position;
        }
    }
    let mut chosen: Vec<usize> =
        std::iter::successors(ends.last().copied(), |position| previous[*position]).collect();
    chosen.reverse();
    chosen
}

#[cfg(test)]
mod tests {
    use super::longest_increasing;
    use proptest::prelude::*;

    #[test]
    fn small_cases() {
        assert!(longest_increasing(&[]).is_empty());
        assert_eq!(longest_increasing(&[5]), [0]);
        assert_eq!(longest_increasing(&[3, 1, 2]), [1, 2]);
        assert_eq!(longest_increasing(&[2, 2]).len(), 1);
    }

    /// The same by trying every subset.
    fn longest_length(values: &[usize]) -> usize {
        (0..1u32 << values.len())
            .map(|subset| {
                let chosen = (0..values.len()).filter(|i| subset >> i & 1 == 1);
                chosen.map(|i| values[i]).collect::<Vec<_>>()
            })
            .filter(|chosen| chosen.windows(2).all(|pair| pair[0] < pair[1]))
            .map(|chosen| chosen.len())
            .max()
            .unwrap_or(0)
    }

    proptest! {
        #[test]
        fn it_is_increasing_and_none_is_longer(values in prop::collection::vec(0usize..12, 0..10)) {
            let chosen = longest_increasing(&values);
            prop_assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(chosen.windows(2).all(|pair| values[pair[0]] < values[pair[1]]));
            prop_assert_eq!(chosen.len(), longest_length(&values));
        }
    }
}
