// SPDX-License-Identifier: GPL-2.0

//! Which CPU sends through which queue, and takes the interrupts of which queue.
//!
//! The CPUs that are online are assigned to the pairs of queues that are used: each pair gets some
//! that follow one another, and if there are more pairs than CPUs, a CPU gets several pairs.
//!
//! The kernel is told of CPUs that come and go through a state of CPU hotplug that it numbers itself. C has a
//! number of its own there (`CPUHP_VIRT_NET_DEAD`), which only one driver can have at a time. So a CPU is left out
//! when it is about to go, not when it is gone; if it stays after all, it is taken in again.
//!
//! Lock order: rtnl, the lock of the device, CPU hotplug, the mutex of [`Affinity`]. `cpus_changed` therefore must
//! not take the first two.

use crate::VirtioNet;
use core::num::NonZero;
use kernel::{
    cpumask::CpumaskVar,
    net::{
        self,
        cpu::{
            self,
            Online, //
        },
        Device, //
    },
    new_mutex,
    prelude::*,
    sync::Mutex,
    virtio::queue::Vectors, //
};

impl net::cpu::Hotplug for VirtioNet {
    fn cpus_changed(device: &Device<Self>, online: &cpu::Online) {
        device.shared().affinity.update(device, online);
    }
}

/// The CPUs of the queues of a device.
pub(crate) struct Affinity(Pin<KBox<Mutex<State>>>);

struct State {
    /// None while the device is frozen.
    vectors: Option<Vectors>,
    /// How many pairs the CPUs are assigned to.
    pairs: u16,
}

impl Affinity {
    /// Nothing is assigned yet.
    pub(crate) fn new(vectors: Vectors) -> Result<Self> {
        let state = State {
            vectors: Some(vectors),
            pairs: 0,
        };
        Ok(Self(KBox::pin_init(new_mutex!(state), GFP_KERNEL)?))
    }

    /// Drops the vectors. Process context. May sleep.
    pub(crate) fn freeze(&self) {
        self.0.lock().vectors = None;
    }

    /// Takes other vectors for those that [`freeze`](Self::freeze) has dropped. Nothing is assigned
    /// to them yet. Process context. May sleep.
    pub(crate) fn thaw(&self, vectors: Vectors) {
        self.0.lock().vectors = Some(vectors);
    }

    /// Assigns the CPUs to `pairs` pairs of queues. Those of other pairs stay as they are.
    ///
    /// Process context. May sleep.
    pub(crate) fn set_pairs(&self, device: &Device<VirtioNet>, pairs: u16, online: &Online) {
        let mut state = self.0.lock();
        state.pairs = pairs;
        state.assign(device, online);
    }

    /// Assigns the CPUs again, as some have come or gone.
    ///
    /// Process context. May sleep.
    pub(crate) fn update(&self, device: &Device<VirtioNet>, online: &Online) {
        self.0.lock().assign(device, online);
    }
}

impl State {
    fn assign(&mut self, device: &Device<VirtioNet>, online: &Online) {
        if let Err(error) = self.try_assign(device, online) {
            dev_warn!(
                device.shared().device,
                "queues of {} are not spread over the CPUs: {error:?}\n",
                device.name()
            );
        }
    }

    /// C function: `virtnet_set_affinity()`.
    fn try_assign(&mut self, device: &Device<VirtioNet>, online: &Online) -> Result {
        let (Some(vectors), Some(pairs)) =
            (&mut self.vectors, NonZero::new(usize::from(self.pairs)))
        else {
            return Ok(());
        };
        let cpus = online.cpus().count();
        let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
        let mut next = online.cpus().cycle();

        for (i, pair) in (0..self.pairs).enumerate() {
            // The first ones get one more if it does not come out even.
            let count = (cpus / pairs + usize::from(i < cpus % pairs)).max(1);
            let group = next.clone();
            for cpu in next.by_ref().take(count) {
                mask.set(cpu);
            }
            vectors.set_affinity(2 * i, &mask)?;
            vectors.set_affinity(2 * i + 1, &mask)?;
            device.set_xps(pair, &mask, online)?;
            for cpu in group.take(count) {
                mask.clear(cpu);
            }
        }
        Ok(())
    }
}
