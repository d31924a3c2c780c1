//! Cutting entries into calls.

/// Entries of one call: the same for PutEvents, SNS PublishBatch and SQS SendMessageBatch.
pub const MAX_BATCH: usize = 10;

/// Cuts items into batches of at most `most` items and `cap` bytes, in order. An item over the cap is alone.
pub fn batches<T: Copy>(items: &[T], most: usize, cap: usize, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0_usize;
    for item in items {
        let more = size(item);
        match batches.last_mut() {
            Some(last) if last.len() < most && bytes.saturating_add(more) <= cap => {
                last.push(*item);
                bytes += more;
            }
            _ => {
                batches.push(vec![*item]);
                bytes = more;
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sizes(items: &[usize], most: usize, cap: usize) -> Vec<Vec<usize>> {
        batches(items, most, cap, |size| *size)
    }

    #[test]
    fn d9_a_batch_is_filled_to_the_byte_and_not_one_further() {
        let cap = 256 * 1024;
        assert_eq!(sizes(&[cap - 10, 10], 10, cap).len(), 1);
        assert_eq!(sizes(&[cap - 10, 11], 10, cap).len(), 2);
        assert_eq!(sizes(&[cap, 1], 10, cap), [vec![cap], vec![1]]);
    }

    #[test]
    fn a_batch_has_ten_items_and_the_eleventh_is_in_the_next() {
        assert_eq!(sizes(&[1; 10], MAX_BATCH, 100).len(), 1);
        assert_eq!(sizes(&[1; 11], MAX_BATCH, 100).iter().map(Vec::len).collect::<Vec<_>>(), [10, 1]);
    }

    proptest! {
        #[test]
        fn every_item_is_in_one_batch_in_order_and_no_batch_is_over(items in proptest::collection::vec(0_usize..50, 0..60)) {
            let batches = sizes(&items, 7, 40);
            prop_assert_eq!(batches.concat(), items);
            for batch in batches {
                let fits = batch.iter().sum::<usize>() <= 40 || batch.len() == 1;
                prop_assert!(fits && !batch.is_empty() && batch.len() <= 7, "{:?}", batch);
            }
        }
    }
}
