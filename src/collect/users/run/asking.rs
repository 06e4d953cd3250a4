//! How questions are asked: several at a time, and none that there is no time for or no
//! sense in.

use std::{
    collections::VecDeque,
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use super::{Run, UsersIam};
use crate::{
    collect::iam::{Password, UserDevices},
    model::{
        facts::{Fault, FaultClass},
        judge::users::{Ask, Gap},
        time::{Moment, Uptime},
    },
};

/// A run asks no further questions after this, if another will.
pub(super) const ASKING: Duration = Duration::from_secs(60);

/// After three faults in a row no further questions are asked in this run; a throttle,
/// after which the account's rate is lower, is half of one.
const STRIKES: u32 = 6;

/// How many questions of one account are under way at a time. With this, what limits is
/// the account's rate, wherever AWS answers within 170 ms.
const WIDTH: usize = 16;

/// A run that has more questions to ask than this tells of the first user who fails
/// before it asks them.
const MANY: usize = 100;

/// What came of a question.
struct Reply {
    of: Gap,
    asked: Moment,
    arrived: Moment,
    answer: Result<Answer, Fault>,
}

/// Questions that are not answered yet. They are few, so each is looked at whenever
/// something has come for one of them.
struct UnderWay<F>(Vec<Pin<Box<F>>>);

enum Answer {
    Devices(Option<UserDevices>),
    Password(Password),
}

impl<I: UsersIam> Run<'_, I> {
    /// Asks these questions in this order, and takes the answers in as they come.
    pub(super) async fn ask_all(&mut self, questions: Vec<Gap>) {
        let Some(ask) = questions.first().map(|first| first.ask) else { return };
        let iam = self.iam;
        let mut over = pin!(time_is_over(iam, self.order.only.as_ref().and_then(|only| only.asks_until)));
        self.expect(questions.len());
        let (mut open, mut under_way) = (VecDeque::from(questions), UnderWay(Vec::new()));
        while self.strikes < STRIKES {
            while under_way.0.len() < WIDTH
                && self.may_ask()
                && !self.cuts_short(&open)
                && let Some(question) = open.pop_front()
            {
                under_way.0.push(Box::pin(put(iam, question, self.name(question.user))));
            }
            let Some(reply) = under_way.next(over.as_mut()).await else { break };
            open.extend(self.take(reply));
        }
        self.leave(ask, open.len() + under_way.0.len());
    }

    /// Whether there is time for another question, and any sense in it.
    pub(super) fn may_ask(&mut self) -> bool {
        let now = self.iam.now().mono;
        self.is_out_of_time |= match &self.order.only {
            Some(only) => only.asks_until.is_some_and(|end| now >= end),
            None => now.since(self.began.mono) >= ASKING,
        };
        self.strikes < STRIKES && !self.is_out_of_time
    }

    pub(super) fn is_only(&self) -> bool {
        self.order.only.is_some()
    }

    /// Whether it is better to tell of somebody who fails now than to ask so many more for
    /// their devices.
    fn cuts_short(&mut self, open: &VecDeque<Gap>) -> bool {
        let is_of_devices = open.front().is_some_and(|next| next.ask == Ask::Devices);
        self.is_cut_short |= is_of_devices && self.has_news && open.len() > MANY;
        is_of_devices && self.is_cut_short
    }

    /// Takes an answer in; gives the question back if it is to be asked again.
    fn take(&mut self, reply: Reply) -> Option<Gap> {
        let Reply { of, asked, arrived, answer } = reply;
        match answer {
            Ok(Answer::Devices(devices)) => self.take_devices(of.user, devices.as_ref(), asked, arrived),
            Ok(Answer::Password(password)) => self.take_password(of.user, password, asked, arrived.mono),
            Err(fault) => return self.note(of, fault),
        }
        self.strikes = 0;
        self.done();
        None
    }

    /// What was throttled too often is asked again later, where no other run will do it.
    fn note(&mut self, of: Gap, fault: Fault) -> Option<Gap> {
        let is_throttled = fault.class == FaultClass::Throttled;
        self.strikes += if is_throttled { 1 } else { 2 };
        if is_throttled && self.is_only() && self.strikes < STRIKES {
            return Some(of);
        }
        self.fault.get_or_insert(fault);
        self.done();
        None
    }

    fn done(&self) {
        if let Some(only) = &self.order.only {
            only.progress.question_done();
        }
    }

    fn expect(&self, questions: usize) {
        if let Some(only) = &self.order.only {
            only.progress.expect_questions(questions);
        }
    }

    /// Leaves these questions to another run, or for good.
    fn leave(&mut self, ask: Ask, questions: usize) {
        if questions > 0 && !self.may_ask() {
            self.left.get_or_insert((ask, questions));
        }
        if let Some(only) = &self.order.only {
            only.progress.drop_questions(questions);
        }
    }

    /// Says for want of what there is no answer, where no other run will get it.
    pub(super) fn tell_what_is_left(&mut self) {
        let Some((ask, left)) = self.left.filter(|_| self.is_only() && self.is_out_of_time) else { return };
        let (operation, all) =
            (if ask == Ask::Password { "GetLoginProfile" } else { "ListMFADevices" }, self.people.len());
        let detail =
            format!("{operation}: the time allowed was over, and {left} of {all} users had not been asked for");
        self.fault.get_or_insert(Fault::new(FaultClass::OutOfTime, detail));
    }
}

impl<F: Future> UnderWay<F> {
    /// What comes next; `None` where nothing is under way, or `over` comes first.
    async fn next(&mut self, mut over: Pin<&mut impl Future<Output = ()>>) -> Option<F::Output> {
        poll_fn(|context| {
            for (n, question) in self.0.iter_mut().enumerate() {
                if let Poll::Ready(output) = question.as_mut().poll(context) {
                    drop(self.0.remove(n));
                    return Poll::Ready(Some(output));
                }
            }
            let is_last = self.0.is_empty() || over.as_mut().poll(context).is_ready();
            if is_last { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }
}

/// Waits until nothing is to be asked any more, for ever where there is no limit.
async fn time_is_over<I: UsersIam>(iam: &I, until: Option<Uptime>) {
    match until {
        Some(end) => iam.pause(end.since(iam.now().mono)).await,
        None => pending().await,
    }
}

/// Asks one question. Its answer is as old as the question.
async fn put<I: UsersIam>(iam: &I, of: Gap, name: String) -> Reply {
    let asked = iam.now();
    let answer = match of.ask {
        Ask::Password => iam.password_of(&name).await.map(Answer::Password),
        Ask::Devices | Ask::List => iam.devices_of(&name).await.map(Answer::Devices),
    };
    Reply { of, asked, arrived: iam.now(), answer }
}
