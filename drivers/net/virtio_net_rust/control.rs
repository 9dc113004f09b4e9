// SPDX-License-Identifier: GPL-2.0

//! The control queue: commands to the device (virtio 1.3, section 5.1.6.5).
//!
//! One command is under way at a time, and whoever sends it sleeps until the device has answered.
//! Unlike in C the wait has an end. A command that was not answered in time stays with the queue,
//! which keeps its memory until the answer comes or the device is reset.
//!
//! The queue has no interrupt, as in C. The sender looks for the answer after some microseconds and then sleeps for
//! longer and longer, up to a millisecond, where C spins under the rtnl lock without end. After five seconds, or
//! what [`CONTROL_TIMEOUT`](crate::parameters::CONTROL_TIMEOUT) says, it gives up with `ETIMEDOUT` and one line in
//! the log. What the device has not returned cannot be freed, as nobody but the queue has it; so giving up is safe,
//! also after a kick that failed. Until the late answer has come commands fail at once with `EIO`, since the device
//! works them off in order. Each of those notifies the device again, which mends a lost notification.
//!
//! What an answer says counts, as in C. Its first byte, which has a segment of its own, is a refusal until the
//! device has written it, and any status but `VIRTIO_NET_OK` is `EINVAL`; all others are 0. The length that the
//! device says of its answer means nothing, since there are devices that count the command too: one that cannot be
//! is said once of a device.

mod access;
pub(crate) mod commands;
mod deadline;
mod reply;
mod resync;

pub(crate) use self::{
    access::{
        condition,
        look,
        resync,
        with_deadline,
        Access, //
    },
    resync::outcome_unknown,
};
use self::{
    deadline::{
        Deadline,
        Thread, //
    },
    resync::Resync, //
};
use crate::{
    health::Ring,
    settings::Part, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Mutex,
        SetOnce, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    virtio::{
        fault,
        queue::{
            Answered,
            Exchange,
            Message,
            Virtqueue, //
        },
    },
};

/// The first pause between two looks for the answer, in microseconds. Each is twice as long as the
/// one before it.
const FIRST_PAUSE: i64 = 5;

/// The longest pause, in microseconds.
const LONGEST_PAUSE: i64 = 1000;

/// How many segments the longest command has, with its answer: the one with both lists of addresses.
const MAX_SEGMENTS: usize = 4;

/// How long an answer is waited for if the device is going to be reset, in milliseconds: one that is reset by hand may well
/// answer, for up to a second until it is.
const PATIENCE_BEFORE_RESET: u32 = 250;

/// A command to the device.
pub(crate) trait Command {
    /// What log lines call it.
    const NAME: &'static str;

    /// The class of the command.
    const CLASS: u8;

    /// Its number within the class.
    const CODE: u8;

    /// Adds what follows class and number. These are in a segment of their own.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn write(&self, body: &mut Message) -> Result;
}

/// A command of any type, so that sending one is one piece of code.
struct Request<'a> {
    name: &'static str,
    class: u8,
    code: u8,
    write: &'a dyn Fn(&mut Message) -> Result,
    /// Whether something is set by it.
    sets: bool,
}

impl<'a> Request<'a> {
    fn of<C: Command>(write: &'a dyn Fn(&mut Message) -> Result, sets: bool) -> Self {
        Self {
            name: C::NAME,
            class: C::CLASS,
            code: C::CODE,
            write,
            sets,
        }
    }
}

/// The control queue of a device.
pub(crate) struct Control {
    /// None while the device is frozen.
    state: Pin<KBox<Mutex<Option<State>>>>,
    /// The first length of an answer that could not be: it is said once that the device has such ones.
    odd: SetOnce<u32>,
}

struct State {
    queue: Virtqueue<Exchange>,
    /// Whether the queue still has a command that nobody waits for any more.
    overdue: bool,
    /// Whether others have waited for that.
    others_wait: bool,
    /// Whether the device may have done a command that counts as failed, or was not sent one that counts.
    resync: Resync,
    /// Until when all commands have to be done that this thread sends now, if that is not each one's own limit.
    deadline: Option<(Thread, Deadline)>,
}

/// How the control queue does.
pub(crate) enum Condition {
    /// It works, as far as is known.
    Works,
    /// The device owes the answer to a command, and others have waited for that.
    OthersWait,
    /// The virtio core has given it up.
    Broken,
}

/// Whether the device has to be resynchronised.
enum ResyncState {
    /// It has not.
    InSync,
    /// It has: when it has answered what it owes, if it owes that, and some time after the last time.
    Pending,
    /// It has, from here on, and takes commands.
    Begun(Part),
}

impl Control {
    pub(crate) fn new(queue: Virtqueue<Exchange>) -> Result<Self> {
        fault::point("control queue")?;
        if queue.max_segments() < MAX_SEGMENTS {
            dev_warn!(
                queue.device(),
                "control ring of {} descriptors: commands that need more are not sent\n",
                queue.size()
            );
        }
        let state = Some(State::new(queue));
        Ok(Self {
            state: KBox::pin_init(new_mutex!(state), GFP_KERNEL)?,
            odd: SetOnce::new(),
        })
    }

    /// Takes the queue away: commands fail from now on. Dropping it resets the device. Process context. May sleep; waits for a
    /// command that is under way, which ends soon if the device is going to be reset.
    pub(crate) fn freeze(&self) -> Option<Virtqueue<Exchange>> {
        self.state.lock().take().map(|state| state.queue)
    }

    /// Takes another queue for that which [`freeze`](Self::freeze) has taken away. Process context. May
    /// sleep.
    pub(crate) fn thaw(&self, queue: Virtqueue<Exchange>) {
        *self.state.lock() = Some(State::new(queue));
    }

    /// Begins to resynchronise the device, if it has to be and that is now: whoever calls this does it, and says
    /// so with [`end_resync`](Self::end_resync) afterwards. Process context. May sleep, but does not wait for a
    /// command that is under way.
    fn begin_resync(&self) -> ResyncState {
        let Some(mut guard) = self.state.try_lock() else {
            return ResyncState::Pending;
        };
        match &mut *guard {
            Some(state) if state.resync.pending && !state.queue.is_broken() => {
                if state.reap_overdue().is_err() || !state.resync.is_due() {
                    return ResyncState::Pending;
                }
                ResyncState::Begun(state.resync.begin())
            }
            _ => ResyncState::InSync,
        }
    }

    /// The device has been resynchronised, from a part on, up to that where it did not answer in time if there was
    /// one. Returns whether it has, as far as it can be known, taken or refused all of that. Process context. May
    /// sleep.
    fn end_resync(&self, began: Part, stopped: Option<Part>) -> bool {
        match &mut *self.state.lock() {
            Some(state) => state.resync.end(began, stopped),
            None => false,
        }
    }

    /// How the queue does. Process context. May sleep, but does not wait for a command that is under way.
    fn condition(&self) -> Condition {
        let guard = self.state.try_lock();
        match guard.as_ref().and_then(|guard| guard.as_ref()) {
            Some(state) if state.queue.is_broken() => Condition::Broken,
            Some(state) if state.others_wait => Condition::OthersWait,
            _ => Condition::Works,
        }
    }

    /// Has a look at the ring, unless a command is under way. Process context.
    fn look(&self, ring: &Ring) {
        let guard = self.state.try_lock();
        if let Some(state) = guard.as_ref().and_then(|guard| guard.as_ref()) {
            ring.look(&state.queue);
        }
    }

    /// Calls `f`. Commands that it sends have to be done by the `deadline`, all together: those that are
    /// not end with `ETIMEDOUT`, and further ones are not sent. Those of other threads have what they always have.
    ///
    /// Process context, with the device locked: so there is one such call at a time. May sleep.
    fn within<R>(&self, deadline: Deadline, f: impl FnOnce() -> R) -> R {
        let set = |deadline| match &mut *self.state.lock() {
            Some(state) => core::mem::replace(&mut state.deadline, deadline),
            None => None,
        };
        let before = set(Some((Thread::current(), deadline)));
        let result = f();
        set(before);
        result
    }

    /// Sends a command and waits until the device has done it.
    ///
    /// Process context, after the device has been told to start. Sleeps, for as long as
    /// [`CONTROL_TIMEOUT`](crate::parameters::CONTROL_TIMEOUT) says at most, plus as long as commands before
    /// this one take. C function: `virtnet_send_command()`.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if the device refuses, or gives the command back without having said anything.
    /// - `ETIMEDOUT` if it does not answer, after a line in the log; or at once, behind the deadline that it is
    ///   [within](Self::within).
    /// - `EIO` at once, as long as it owes the answer to a command that timed out, or if the queue is
    ///   broken; after 250 ms if the device is going to be reset.
    /// - `EMSGSIZE` if the ring has fewer descriptors than the command needs; `ENODEV` while the device is frozen; `ENOMEM`.
    fn send<C: Command>(&self, command: &C) -> Result {
        let write = |body: &mut Message| command.write(body);
        self.exchange(&Request::of::<C>(&write, true), 0).map(drop)
    }

    /// Sends a command that the device answers with up to `room` bytes besides whether it has done
    /// it, and returns these: `room` bytes, with 0 for each that the device has not written. They are a
    /// copy: the device cannot change them any more.
    ///
    /// As for [`send`](Self::send). C function: `virtnet_send_command_reply()`.
    ///
    /// # Errors
    ///
    /// As there.
    fn ask<C: Command>(&self, command: &C, room: usize) -> Result<KVec<u8>> {
        let mut body = KVec::from_elem(0, room, GFP_KERNEL)?;
        let write = |body: &mut Message| command.write(body);
        self.exchange(&Request::of::<C>(&write, false), room)?
            .body(&mut body);
        Ok(body)
    }

    fn exchange(&self, request: &Request<'_>, room: usize) -> Result<Answered> {
        let mut guard = self.state.lock();
        let state = Option::as_mut(&mut *guard).ok_or(ENODEV)?;

        if let Err(error) = state.reap_overdue().and_then(|()| state.check_deadline()) {
            // Not all who have something set look what becomes of it.
            state.request_resync(request);
            return Err(error);
        }
        let mut message = Message::new(state.queue.device());
        message.bytes(&[request.class, request.code])?;
        message.end_segment()?;
        (request.write)(&mut message)?;
        state
            .queue
            .ask(Exchange::new(message, room)?)
            .map_err(|rejected| rejected.error)?;
        if !fault::take_kick(request.class) {
            state.queue.kick();
        }

        let answered = state.answer(request, &self.odd);
        if outcome_unknown(&answered) {
            state.request_resync(request);
        }
        answered
    }
}

impl State {
    fn new(queue: Virtqueue<Exchange>) -> Self {
        Self {
            queue,
            overdue: false,
            others_wait: false,
            resync: Resync::default(),
            deadline: None,
        }
    }

    /// Notes that it is not known whether the device has done what the request says.
    fn request_resync(&mut self, request: &Request<'_>) {
        if request.sets {
            self.resync.request(self.deadline().is_some());
        }
    }

    /// Until when the commands of this thread have to be done together, if they have to.
    fn deadline(&self) -> Option<Deadline> {
        let (thread, deadline) = self.deadline?;
        (thread == Thread::current()).then_some(deadline)
    }

    fn check_deadline(&self) -> Result {
        match self.deadline() {
            Some(deadline) if deadline.is_over() => Err(ETIMEDOUT),
            _ => Ok(()),
        }
    }

    /// Looks for the answer that is overdue, if one is.
    fn reap_overdue(&mut self) -> Result {
        if !self.overdue {
            return Ok(());
        }
        if self.queue.answered().is_none() {
            // If it was the kick that got lost, this mends it for the next command.
            self.queue.notify();
            self.others_wait = true;
            return Err(EIO);
        }
        self.overdue = false;
        self.others_wait = false;
        dev_info!(
            self.queue.device(),
            "device has answered at last, commands work again\n"
        );
        Ok(())
    }

    /// Waits for the answer to a command that is under way, and looks whether it has been done.
    ///
    /// What the answer says counts, and not the length that the device says it has: there are devices that
    /// count the command too. `odd` is the first such length.
    fn answer(&mut self, request: &Request<'_>, odd: &SetOnce<u32>) -> Result<Answered> {
        let answered = self.wait(request.name)?;
        let (written, room) = (answered.written(), answered.room());
        if !reply::can_be_written(written, room) && odd.populate(written) {
            dev_warn!(
                self.queue.device(),
                "device says that its answer to {} has {written} bytes, where there is room for {room}: its lengths \
                 mean nothing\n",
                request.name
            );
        }
        reply::outcome(answered.status())?;
        if fault::take_answer(request.class) {
            return Err(EINVAL);
        }
        Ok(answered)
    }

    /// Waits for the answer to the command `name`, which is under way.
    fn wait(&mut self, name: &str) -> Result<Answered> {
        let own = Deadline::new();
        let deadline = self.deadline().unwrap_or(own);
        let mut pause = FIRST_PAUSE;

        loop {
            // The time is taken before the look: a long sleep is not held against the device.
            let expired = own.is_over() || deadline.is_over();
            let patient = !own.has_lasted(PATIENCE_BEFORE_RESET);
            if let Some(answered) = self.queue.answered() {
                return Ok(answered);
            }
            if self.queue.is_broken() {
                dev_err!(self.queue.device(), "control queue broke during {name}\n");
                return Err(EIO);
            }
            // Whoever resets the device waits for this. One that needs a reset answers nothing, also where none is to come: it
            // is being unbound, or has been given up.
            let device = self.queue.device();
            if !patient && (device.is_reset_pending() || device.needs_reset()) {
                self.overdue = true;
                return Err(EIO);
            }
            if expired {
                self.overdue = true;
                dev_err!(
                    self.queue.device(),
                    "device has not answered {name}{} within {} ms: commands fail until it does\n",
                    if own.is_over() {
                        ""
                    } else {
                        " and others before"
                    },
                    deadline.limit()
                );
                return Err(ETIMEDOUT);
            }
            fsleep(Delta::from_micros(pause));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
