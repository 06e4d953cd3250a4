//! One line on a terminal while AWS is being asked: how far it is, how fast it goes, how
//! long it will take.

use std::{
    collections::VecDeque,
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use tokio::{task::JoinHandle, time::sleep};

use crate::{
    collect::progress::{Progress, Standing},
    log::{self, CLEAR},
    overview::{age, table::is_dumb},
};

/// How often the line is written anew.
const PAUSE: Duration = Duration::from_millis(250);

/// Over how many of these pauses the speed is measured: five seconds.
const REMEMBERED: usize = 20;

/// The line, while it is shown.
pub struct Shown(Option<JoinHandle<()>>);

/// Shows the line on standard error, if that is a terminal.
pub fn show(progress: Progress) -> Shown {
    let is_seen = io::stderr().is_terminal() && !is_dumb();
    log::line_is_shown(is_seen);
    Shown(is_seen.then(|| tokio::spawn(draw(progress))))
}

impl Shown {
    /// Takes the line away.
    pub fn end(self) {
        if let Some(drawing) = self.0 {
            drawing.abort();
            log::line_is_shown(false);
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }
}

async fn draw(progress: Progress) {
    let mut seen = VecDeque::new();
    loop {
        let standing = progress.standing();
        seen.push_back((Instant::now(), standing.questions_done));
        if seen.len() > REMEMBERED {
            seen.pop_front();
        }
        let size = terminal_size::terminal_size_of(io::stderr());
        let columns = size.map_or(80, |(terminal_size::Width(width), _)| usize::from(width));
        // Written whole to its last column, a line would be broken by some terminals.
        let text: String = line(standing, speed(&seen)).chars().take(columns.saturating_sub(1)).collect();
        let _ = write!(io::stderr(), "{CLEAR}{text}");
        sleep(PAUSE).await;
    }
}

/// Answers a second.
fn speed(seen: &VecDeque<(Instant, usize)>) -> f64 {
    let (Some((began, first)), Some((now, last))) = (seen.front(), seen.back()) else { return 0.0 };
    let seconds = now.duration_since(*began).as_secs_f64();
    if seconds > 0.0 { (last - first) as f64 / seconds } else { 0.0 }
}

fn line(standing: Standing, speed: f64) -> String {
    let Standing { accounts, accounts_done, questions, questions_done, awaits_echoes } = standing;
    if awaits_echoes {
        return "All is read. Waiting for the calls to come back as events…".to_owned();
    }
    let mut parts = Vec::new();
    if accounts > 1 {
        parts.push(format!("{accounts_done} of {accounts} accounts read"));
    }
    let open = questions.saturating_sub(questions_done);
    if questions > 0 {
        parts.push(format!("{questions_done} of {questions} questions about users answered"));
    }
    if open > 0 && speed >= 1.0 {
        let left = Duration::from_secs_f64((open as f64 / speed).max(1.0));
        parts.push(format!("{speed:.0} a second, {} left", age(left)));
    }
    if parts.is_empty() {
        parts.push("a failing answer is asked again after 5 seconds".to_owned());
    }
    format!("Asking AWS… {}", parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_how_fast_and_how_long() {
        let begun = Standing { accounts: 1, ..Standing::default() };
        assert_eq!(line(begun, 0.0), "Asking AWS… a failing answer is asked again after 5 seconds");
        let one = Standing { questions: 5_000, questions_done: 1_204, ..begun };
        assert_eq!(line(one, 88.4), "Asking AWS… 1204 of 5000 questions about users answered; 88 a second, 42s left");
        let last = Standing { questions_done: 5_000, ..one };
        assert_eq!(line(last, 80.0), "Asking AWS… 5000 of 5000 questions about users answered");
        let many = Standing { accounts: 40, accounts_done: 12, questions: 90, questions_done: 9, ..begun };
        assert_eq!(line(many, 0.0), "Asking AWS… 12 of 40 accounts read; 9 of 90 questions about users answered");
        let read = Standing { awaits_echoes: true, ..many };
        assert_eq!(line(read, 0.0), "All is read. Waiting for the calls to come back as events…");
    }

    #[test]
    fn the_speed_is_that_of_the_last_seconds() {
        let begin = Instant::now();
        let seen: VecDeque<_> = [(0, 10), (500, 50), (1_000, 90)]
            .map(|(millis, done)| (begin + Duration::from_millis(millis), done))
            .into();
        assert!((speed(&seen) - 80.0).abs() < 1e-9);
        assert!(speed(&VecDeque::new()).abs() < 1e-9);
    }
}
