//! Trouble that may last: the log tells of it now and then, and of its end.

use std::time::{Duration, Instant};

/// One kind of trouble.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// How often the log tells of it.
    every: Duration,
    told_at: Option<Instant>,
}

impl Trouble {
    pub(crate) const fn told_every(every: Duration) -> Self {
        Self { every, told_at: None }
    }

    /// It is there. Whether that is to be told now.
    pub(crate) fn is_news(&mut self) -> bool {
        let is_news = self.told_at.is_none_or(|told| told.elapsed() >= self.every);
        if is_news {
            self.told_at = Some(Instant::now());
        }
        is_news
    }

    /// It is over. Whether that is to be told.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.told_at.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_now_and_then_and_its_end_once() {
        let mut trouble = Trouble::told_every(Duration::MAX);
        assert!(!trouble.has_ended(), "nobody has heard of it");
        assert!(trouble.is_news() && !trouble.is_news());
        assert!(trouble.has_ended() && !trouble.has_ended());
        assert!(trouble.is_news(), "another time");
        let mut trouble = Trouble::told_every(Duration::ZERO);
        assert!(trouble.is_news() && trouble.is_news());
    }
}
