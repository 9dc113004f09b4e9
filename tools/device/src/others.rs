// SPDX-License-Identifier: GPL-2.0

//! One queue, and all others beside it.

use crate::queue::Queue;

/// All queues but one.
pub struct Others<'a, T = Queue> {
    before: &'a mut [T],
    behind: &'a mut [T],
}

impl<T> Others<'_, T> {
    /// The queue of this number, if there is one and it is not the one that is left out.
    pub fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        let left_out = self.before.len();
        if number < left_out {
            return self.before.get_mut(number);
        }
        self.behind.get_mut(number.checked_sub(left_out + 1)?)
    }
}

/// The queue of this number, if there is one, and the others.
pub fn split<T>(queues: &mut [T], number: usize) -> Option<(&mut T, Others<'_, T>)> {
    let (before, rest) = queues.split_at_mut_checked(number)?;
    let (queue, behind) = rest.split_first_mut()?;
    Some((queue, Others { before, behind }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let mut queues = [0, 1, 2, 3];
        for number in 0..4 {
            let (queue, mut others) = split(&mut queues, number).unwrap();
            assert_eq!(*queue, number);
            let found = [0, 1, 2, 3, 4, usize::MAX].map(|at| others.get_mut(at).copied());
            let mut wanted = [Some(0), Some(1), Some(2), Some(3), None, None];
            wanted[number] = None;
            assert_eq!(found, wanted);
        }
        assert!(split(&mut queues, 4).is_none());
        assert!(split(&mut queues, usize::MAX).is_none());
    }
}
