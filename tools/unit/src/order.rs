// SPDX-License-Identifier: GPL-2.0

//! The order in which packets of AF_XDP sockets are said to have been sent.

#[path = "../../../rust/netdev/xsk/order.rs"]
mod source;

use proptest::prelude::*;
use source::Order;
use std::collections::VecDeque;

/// What it has to be like: of each packet, the oldest first, its number, and whether the device is done with it.
#[derive(Default)]
struct Model(VecDeque<(u32, bool)>);

impl Model {
    fn done(&mut self, number: u32) -> u32 {
        if let Some(packet) = self.0.iter_mut().find(|packet| packet.0 == number) {
            packet.1 = true;
        }
        let mut said = 0;
        while self.0.front().is_some_and(|packet| packet.1) {
            self.0.pop_front();
            said += 1;
        }
        said
    }
}

/// As a queue does it.
fn done(order: &mut Order, number: u32) -> u32 {
    if order.done_in_order(number, 1) {
        1
    } else {
        order.done(number)
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    /// Of those that the device has, one after so many others.
    Done(usize),
    /// Any number.
    Wrong(u32),
    Forget,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        40 => Just(Step::Send),
        20 => Just(Step::Done(0)),
        18 => any::<usize>().prop_map(Step::Done),
        2 => any::<u32>().prop_map(Step::Wrong),
        1 => Just(Step::Forget),
    ];
    prop::collection::vec(step, 0..2000)
}

proptest! {
    #[test]
    fn said_in_the_order_of_sending(packets in 1u32..200, steps in steps()) {
        let mut order = Order::new(packets).unwrap();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Send => {
                    let room = order.room();
                    prop_assert!(room > 0 || model.0.len() >= packets as usize);
                    match order.send(1) {
                        Some(number) => model.0.push_back((number, false)),
                        None => prop_assert_eq!(room, 0),
                    }
                }
                Step::Done(after) if !model.0.is_empty() => {
                    let number = model.0[after % model.0.len()].0;
                    prop_assert_eq!(done(&mut order, number), model.done(number));
                }
                Step::Done(_) => {}
                Step::Wrong(number) => prop_assert_eq!(done(&mut order, number), model.done(number)),
                Step::Forget => {
                    prop_assert_eq!(order.forget() as usize, model.0.len());
                    model.0.clear();
                }
            }
            prop_assert_eq!(order.pending() as usize, model.0.len());
        }
    }
}

#[test]
fn no_more_than_can_be() {
    assert!(Order::new((1 << 30) + 1).is_err());
    let mut order = Order::new(1).unwrap();
    let room = order.room();
    let sent = (0..).map_while(|_| order.send(1)).count();
    assert_eq!(sent as u32, room);
}

#[test]
fn several_in_order() {
    let mut order = Order::new(1).unwrap();
    let first = order.send(3).unwrap();
    let last = order.send(2).unwrap();
    assert!(!order.done_in_order(last, 2));
    assert!(!order.done_in_order(first, 6));
    assert!(order.done_in_order(first, 3));
    assert_eq!(order.pending_before(last), 0);
    assert_eq!(order.done(last + 1), 0);
    assert!(!order.done_in_order(last, 1));
    assert_eq!(order.done(last), 2);
}
