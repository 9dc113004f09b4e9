// SPDX-License-Identifier: GPL-2.0

//! The watchdog: it finds out that the device does not do what it owes, and sees to it, one step at a time.
//!
//! While the interface is up the service has a *glance* at each queue every half a second ([`glance`]), which costs packets nothing. If
//! something is owed, and nothing came since the last glance, the next one is a little sooner.
//!
//! | what is found                                              | what is done                          |
//! |------------------------------------------------------------|---------------------------------------|
//! | something has been given back, and nobody was told         | it is taken                           |
//! | something to be sent is owed at two glances, none has come | the device is told again: at the first such glance, the second, the fourth and so on |
//! | the same for `stall_timeout`                               | the device is reset                   |
//! | others wait for the answer to a command, for `stall_timeout` | the device is reset                 |
//! | a virtqueue is broken                                      | the device is reset                   |
//! | the device says that it needs a reset                      | the device is reset                   |
//!
//! What is slow is not broken: time is counted in glances, which a guest that is stopped does not have, and nor does one that is so
//! busy that its works do not run. A device whose registers do not answer is left alone: nobody would see it come out of a reset.
//! While the link is down, packets may wait.
//!
//! How often a device is reset, and when it is given up, is decided in the virtio crate. Single queues are never
//! reset for this: the virtio core waits for such a reset without an end, and would do so with the rtnl lock held.

mod devlink;
mod glance;
mod resets;
mod ring;

use self::{
    devlink::Part,
    glance::Glance,
    resets::Fault, //
};
pub(crate) use self::{
    glance::EARLY_MS,
    resets::by_hand,
    ring::Ring, //
};
use crate::{
    parameters,
    rx,
    VirtioNet, //
};
use core::sync::atomic::{
    AtomicU64,
    Ordering::Relaxed, //
};
use kernel::{
    net::{
        self,
        stats::Named,
        Device,
        Done,
        RxPoll, //
    },
    new_mutex,
    prelude::*,
    str::CStr,
    sync::Mutex,
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

/// How long it is from one glance to the next, in milliseconds.
pub(crate) const PAUSE_MS: u32 = 500;

/// The same after a glance at which something was owed that need not be for long. Both together, and what a work is late, are
/// within a second.
const AGAIN_MS: u32 = 400;

impl net::Glance for VirtioNet {
    fn glance_rx<'poll>(device: &'poll Device<Self>, poll: RxPoll<'poll, Self>) -> Done<'poll> {
        rx::watch::look(device, poll)
    }
}

impl net::Reset for VirtioNet {
    fn reset(device: &Device<Self>) -> Result {
        by_hand(device)
    }
}

/// A number of times that something has been done.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What has been done.
#[derive(Default)]
pub(crate) struct Counts {
    /// How often something was taken that nobody had been told of.
    pub(crate) polls: Count,
    /// How often the device was told again of what it had been told of.
    kicks: Count,
    /// How often the device was to be reset since it did not do what it owed.
    resets: Count,
    /// How often it was given up.
    given_up: Count,
}

impl Counts {
    /// What devlink shows.
    fn named(&self) -> [(&'static CStr, u64); 4] {
        [
            (c"polls", self.polls.get()),
            (c"kicks", self.kicks.get()),
            (c"resets", self.resets.get()),
            (c"given up", self.given_up.get()),
        ]
    }
}

/// One entry of the table below, for the field of this name.
macro_rules! named {
    ($name:literal, $field:ident) => {
        Named {
            name: $name,
            value: |device| device.shared().health.counts.$field.get(),
        }
    };
}

/// What `ethtool -S` shows.
pub(crate) const COUNTERS: &[Named<Device<VirtioNet>>] = &[
    named!("watchdog_polls", polls),
    named!("watchdog_kicks", kicks),
    named!("watchdog_resets", resets),
    named!("watchdog_given_up", given_up),
    Named {
        name: "watchdog_abandoned",
        value: |device| device.shared().device.abandoned(),
    },
];

/// What is known of how a device does.
pub(crate) struct Health {
    pub(crate) counts: Counts,
    /// For receive queues, what the poll function has found out.
    pub(crate) rx: rx::watch::Watches,
    state: Pin<KBox<Mutex<State>>>,
}

struct State {
    /// Whether the device has said that it needs a reset when it was asked last.
    needs_reset: bool,
    /// When the last glance was.
    last: Option<Instant<Monotonic>>,
    /// How long it is from that to the next, in milliseconds.
    pause: u32,
    glance: Glance,
}

impl Health {
    /// That of a device with `pairs` pairs of queues.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(pairs: u16) -> Result<Self> {
        let state = State {
            needs_reset: false,
            last: None,
            pause: PAUSE_MS,
            glance: Glance::default(),
        };
        Ok(Self {
            counts: Counts::default(),
            rx: rx::watch::Watches::new(pairs)?,
            state: KBox::pin_init(new_mutex!(state), GFP_KERNEL)?,
        })
    }

    /// For how many glances others have waited for the answer to a command. Process context. May sleep.
    fn unanswered(&self) -> u32 {
        self.state.lock().glance.unanswered()
    }

    /// Forgets what was wrong: the device has been reset. Process context. May sleep.
    pub(crate) fn renew(&self) {
        self.rx.renew();
        let mut state = self.state.lock();
        state.needs_reset = false;
        state.glance = Glance::default();
    }
}

/// Has a look at the device, if it is time for a glance or there is `news` of its configuration. What it finds is seen to.
///
/// Process context; nobody else calls it meanwhile. May sleep.
pub(crate) fn look(device: &Device<VirtioNet>, news: bool) {
    let health = &device.shared().health;
    let mut state = health.state.lock();

    if news {
        state.needs_reset = device.shared().device.needs_reset();
    }
    let mut faults = Faults::default();
    faults.note(state.needs_reset.then_some(Fault::NeedsReset));
    let mut looked = false;
    let limit = parameters::STALL_TIMEOUT.get();
    if limit != 0 && device.is_up() {
        let due = Delta::from_millis((state.pause.saturating_sub(EARLY_MS)).into());
        let past = state.last.map_or(due, |last| last.elapsed());
        if past >= due {
            state.last = Some(Instant::now());
            let suspected = state.glance.look(device, limit, &mut faults);
            state.pause = if suspected { AGAIN_MS } else { PAUSE_MS };
            looked = true;
            device.schedule_service_in(state.pause);
        } else {
            // CAST: It is less than the pause.
            let past = past.as_millis() as u32;
            device.schedule_service_in(state.pause.saturating_sub(past));
        }
    }
    drop(state);
    // What is found of a device without a link says little: it may be reset at this time.
    let sees_all = looked && !device.shared().link.is_out_of_order();
    for part in Part::ALL {
        match faults.0[part as usize] {
            Some(fault) => resets::because_of(device, fault),
            None if sees_all => device.is_well(part as usize),
            None => (),
        }
    }
}

/// What is wrong with each part of the device, one fault of each.
#[derive(Default)]
struct Faults([Option<Fault>; Part::ALL.len()]);

impl Faults {
    fn note(&mut self, fault: Option<Fault>) {
        if let Some(fault) = fault {
            self.0[fault.part() as usize].get_or_insert(fault);
        }
    }
}
