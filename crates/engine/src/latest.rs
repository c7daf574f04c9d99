//! What was read last, kept so that it need not be read again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Values by key, the one kept last at the end. As many as have room together; those kept longest go first.
#[derive(Debug)]
pub(crate) struct Latest<K, V> {
    room: usize,
    kept: Mutex<VecDeque<Kept<K, V>>>,
}

#[derive(Debug)]
struct Kept<K, V> {
    key: K,
    value: Arc<V>,
    room: usize,
}

impl<K: PartialEq, V> Latest<K, V> {
    /// Nothing yet, and room for as much as `room` of it takes in all.
    pub(crate) const fn new(room: usize) -> Self {
        Self {
            room,
            kept: Mutex::new(VecDeque::new()),
        }
    }

    pub(crate) fn find(&self, key: &K) -> Option<Arc<V>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .find(|one| one.key == *key)
            .map(|one| Arc::clone(&one.value))
    }

    /// Keeps a value that takes so much room, in place of the one before of that key. One that takes more than there is in all is
    /// not kept.
    pub(crate) fn keep(&self, key: K, value: &Arc<V>, room: usize) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| one.key != key);
        if room > self.room {
            return;
        }
        kept.push_back(Kept {
            key,
            value: Arc::clone(value),
            room,
        });
        let mut taken: usize = kept.iter().map(|one| one.room).sum();
        while taken > self.room {
            let Some(first) = kept.pop_front() else { break };
            taken -= first.room;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_kept_longest_are_let_go_of_when_room_is_short() {
        let latest = Latest::new(10);
        let values = [(1, 4), (2, 3), (3, 3), (4, 5)].map(|(key, room)| (key, Arc::new(key), room));
        for (key, value, room) in &values {
            latest.keep(*key, value, *room);
        }
        let found = [1, 2, 3, 4].map(|key| latest.find(&key).as_deref().copied());
        assert_eq!(found, [None, None, Some(3), Some(4)]);
        assert_eq!(
            values.each_ref().map(|(_, value, _)| Arc::strong_count(value)),
            [1, 1, 2, 2],
            "those that went are held by nobody else"
        );
    }

    #[test]
    fn a_key_has_one_value_and_what_is_too_large_is_not_kept() {
        let latest = Latest::new(10);
        latest.keep("a", &Arc::new(1), 6);
        latest.keep("a", &Arc::new(2), 6);
        latest.keep("b", &Arc::new(3), 4);
        assert_eq!(latest.find(&"a").as_deref(), Some(&2));
        assert_eq!(latest.find(&"b").as_deref(), Some(&3));
        latest.keep("b", &Arc::new(4), 11);
        assert_eq!(
            latest.find(&"b"),
            None,
            "nor is the one before, which it replaces"
        );
        assert_eq!(latest.find(&"a").as_deref(), Some(&2), "and it drives nobody out");
    }
}
