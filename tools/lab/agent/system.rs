// SPDX-License-Identifier: GPL-2.0

//! What the standard library does not have of the C library.

use std::ffi::{c_int, c_long, c_short, c_ulong, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// From <poll.h>, <time.h>, <bits/signum-generic.h> and <sys/syscall.h>.
const POLLIN: c_short = 1;
const CLOCK_REALTIME: c_int = 0;
const SIGINT: c_int = 2;
const SIGTERM: c_int = 15;
/// `SIG_DFL` and `SIG_IGN` of <bits/signum-generic.h>.
const DEFAULT: usize = 0;
const IGNORED: usize = 1;
const SYS_PIDFD_OPEN: c_long = 434;
/// For a wait that has no end of its own, and is begun anew.
const LONG: Duration = Duration::from_secs(3600);

#[repr(C)]
struct PollFd {
    fd: c_int,
    events: c_short,
    found: c_short,
}

#[repr(C)]
struct TimeSpec {
    seconds: i64,
    nanoseconds: c_long,
}

extern "C" {
    fn poll(fds: *mut PollFd, number: c_ulong, milliseconds: c_int) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    fn clock_settime(clock: c_int, time: *const TimeSpec) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn signal(number: c_int, handler: usize) -> usize;
}

fn checked(result: c_int) -> io::Result<()> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Waits until the port can be read, a process has ended, or it is the deadline. Returns whether the port can be read.
pub fn readable(port: &File, processes: &[RawFd], deadline: Option<Instant>) -> io::Result<bool> {
    let of = |fd| PollFd { fd, events: POLLIN, found: 0 };
    let mut fds: Vec<_> = std::iter::once(port.as_raw_fd()).chain(processes.iter().copied()).map(of).collect();
    let left = deadline.map_or(LONG, |deadline| deadline.saturating_duration_since(Instant::now()).min(LONG));
    // One more, so that it is over when the wait is.
    let milliseconds = left.as_millis() as c_int + 1;
    // SAFETY: `fds` has as many entries as is said.
    checked(unsafe { poll(fds.as_mut_ptr(), fds.len() as c_ulong, milliseconds) })?;
    Ok(fds[0].found != 0)
}

/// A file that can be read when the process has ended.
pub fn process(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open(2) takes a number and flags.
    let fd = unsafe { syscall(SYS_PIDFD_OPEN, pid as c_int, 0 as c_int) };
    checked(fd as c_int)?;
    // SAFETY: The file is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Sends a signal to a process and to all that it has started, which may be gone.
pub fn signal_group(pid: u32, signal: c_int) {
    // SAFETY: It takes two numbers.
    unsafe { kill(-(pid as c_int), signal) };
}

/// Takes no notice of what asks a process to end.
pub fn ignore_interruptions() {
    for number in [SIGINT, SIGTERM] {
        // SAFETY: No function of this program is called for a signal.
        unsafe { signal(number, IGNORED) };
    }
}

/// Ends as a process does that got this signal.
pub fn end_by_signal(number: c_int) {
    // SAFETY: No function of this program is called for a signal, and the other one takes two numbers.
    unsafe {
        signal(number, DEFAULT);
        kill(std::process::id() as c_int, number);
    }
}

/// Sets the clock, in nanoseconds since the epoch.
pub fn set_clock(time: u64) -> io::Result<()> {
    let time = TimeSpec { seconds: (time / 1_000_000_000) as i64, nanoseconds: (time % 1_000_000_000) as c_long };
    // SAFETY: `time` has the layout of `struct timespec`, which is read.
    checked(unsafe { clock_settime(CLOCK_REALTIME, &time) })
}

/// An operation on a file whose argument is `data`, which the kernel only reads, as far as the operation says.
///
/// # Safety
///
/// The operation must read no more than `data` has, and must not write to it.
pub unsafe fn control(file: &File, operation: c_ulong, data: &[u32]) -> io::Result<()> {
    // SAFETY: By this function's own requirement.
    checked(unsafe { ioctl(file.as_raw_fd(), operation, data.as_ptr().cast::<c_void>()) })
}
