//! `Faults`: collects all mistakes of a command line, so that one error tells them together.

use crate::diagnosis::Diagnosis;

/// Mistakes found so far, in the order in which they are told.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Diagnosis>);

impl Faults {
    /// Keeps the error of `checked`; `None` if there was one.
    pub(crate) fn collect<T>(&mut self, checked: Result<T, Diagnosis>) -> Option<T> {
        checked.map_err(|fault| self.0.push(fault)).ok()
    }

    /// Ends the collecting.
    ///
    /// # Errors
    /// One diagnosis of everything that was collected: the id, the evidence and the guesses of the
    /// first mistake, the headlines and the advice of all of them.
    pub(crate) fn into_result(self) -> Result<(), Diagnosis> {
        let mut faults = self.0.into_iter();
        let Some(mut told) = faults.next() else {
            return Ok(());
        };
        for fault in faults {
            told.headline = format!("{}; also: {}", told.headline, fault.headline).into();
            told.saw = told.saw.or(fault.saw);
            // Two mistakes may have the same remedy.
            for advice in fault.try_ {
                if !told.try_.contains(&advice) {
                    told.try_.push(advice);
                }
            }
        }
        Err(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Id, Try};

    #[test]
    fn all_mistakes_are_told_with_the_advice_of_each_once() {
        let advice = |text: &str, headline: &str| Diagnosis {
            try_: vec![Try::advice(text)],
            ..Diagnosis::new(Id::Endpoint, headline)
        };
        let mut faults = Faults::default();
        assert_eq!(faults.collect::<()>(Err(advice("a", "one"))), None);
        assert_eq!(faults.collect(Ok(7)), Some(7));
        assert_eq!(faults.collect::<()>(Err(advice("a", "two"))), None);
        let told = faults.into_result().unwrap_err();
        assert_eq!((told.id, &*told.headline), (Id::Endpoint, "one; also: two"));
        assert_eq!(told.try_, [Try::advice("a")]);
        assert_eq!(Faults::default().into_result(), Ok(()));
    }
}
