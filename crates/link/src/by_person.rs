use crate::tile::to_index;

/// Something of each person of a side, who are numbered without gaps: a list, which is looked up in less time than it takes to hash a
/// number.
#[derive(Debug, Clone)]
pub(crate) struct ByPerson<T> {
    /// Of the persons from the first to the last of whom something was noted.
    noted: Vec<T>,
    nothing: T,
}

impl<T: Copy> ByPerson<T> {
    /// `nothing` of everybody.
    pub(crate) const fn new(nothing: T) -> Self {
        Self {
            noted: Vec::new(),
            nothing,
        }
    }

    /// What is noted of a person.
    pub(crate) fn get(&self, person: u32) -> T {
        self.noted.get(to_index(person)).copied().unwrap_or(self.nothing)
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, person: u32) -> &mut T {
        let index = to_index(person);
        if self.noted.len() <= index {
            self.noted.resize(index + 1, self.nothing);
        }
        &mut self.noted[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_whom_nothing_was_noted_there_is_nothing() {
        let mut by_person = ByPerson::new(0);
        *by_person.get_mut(3) += 7;
        *by_person.get_mut(1) = 5;
        assert_eq!(
            [0, 1, 2, 3, 4, u32::MAX].map(|person| by_person.get(person)),
            [0, 5, 0, 7, 0, 0]
        );
    }
}
