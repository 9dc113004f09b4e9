// SPDX-License-Identifier: GPL-2.0

//! What the host can ask for, by name.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::{self, Run};
use crate::kernel::{self, Messages};
use crate::message::{Answer, Request};
use crate::system;

const NETWORK: &str = "/sys/class/net";

/// A command in the background.
struct Background {
    child: Child,
    /// Can be read when it has ended. Closed once that is known: a guest has room for a thousand files, not for one of each command.
    ended: Option<OwnedFd>,
}

impl Background {
    /// How it has ended, if it has.
    fn status(&mut self) -> io::Result<Option<i32>> {
        let status = command::status(&mut self.child)?;
        if status.is_some() {
            self.ended = None;
        }
        Ok(status)
    }
}

/// The host waits for a command in the background.
struct Wait {
    number: u64,
    index: usize,
    deadline: Instant,
}

pub struct Operations {
    /// For each reader of its own, see `messages`.
    messages: [Messages; 2],
    runs: Vec<Run>,
    background: Vec<Background>,
    waits: Vec<Wait>,
}

/// What is returned.
type Strings = Vec<Vec<u8>>;

fn string(value: impl ToString) -> Vec<u8> {
    value.to_string().into_bytes()
}

impl Operations {
    pub fn new() -> io::Result<Self> {
        Ok(Operations { messages: [Messages::new()?, Messages::new()?], runs: Vec::new(), background: Vec::new(), waits: Vec::new() })
    }

    /// Begins what is asked for. What takes no time has its answer at once.
    pub fn begin(&mut self, mut request: Request) -> Option<Answer> {
        match self.done(&mut request) {
            Ok(done) => Some(Answer::done(request.number, done?)),
            Err(error) => Some(Answer::failed(request.number, error)),
        }
    }

    fn done(&mut self, request: &mut Request) -> io::Result<Option<Strings>> {
        match request.operation.as_str() {
            "run" => return self.run(request),
            "wait" => return self.wait(request),
            "spawn" => self.spawn(request),
            "stop" => self.stop(request),
            "put" => put(request),
            "get" => get(request),
            "messages" => self.messages(request),
            "resumed" => kernel::resumed(request.number()?, &request.bytes()?).map(|()| Vec::new()),
            "unpack" => unpack(),
            "link" => link(request),
            "entries" => entries(request),
            "files" => files(request),
            "interfaces" => interfaces(request),
            other => Err(io::Error::other(format!("there is no operation {other}"))),
        }
        .map(Some)
    }

    /// Those since the same reader read the last time.
    fn messages(&mut self, request: &mut Request) -> io::Result<Strings> {
        let reader: usize = request.number()?;
        let messages = self.messages.get_mut(reader).ok_or_else(|| io::Error::other("there is no such reader"))?;
        Ok(vec![messages.read()?])
    }

    fn run(&mut self, request: &mut Request) -> io::Result<Option<Strings>> {
        let (limit, input, argv) = (Duration::from_millis(request.number()?), request.bytes()?, request.rest()?);
        self.runs.push(Run::start(request.number, &argv, &input, limit)?);
        Ok(None)
    }

    /// Its outputs go to files that are there as long as the guest.
    fn spawn(&mut self, request: &mut Request) -> io::Result<Strings> {
        // Nobody need wait for one that was stopped.
        for earlier in self.background.iter_mut().filter(|earlier| earlier.ended.is_some()) {
            earlier.status()?;
        }
        let index = self.background.len();
        let [out, err] = ["out", "err"].map(|kind| format!("/tmp/spawn-{index}.{kind}"));
        let (child, ended) = command::start(&request.rest()?, Stdio::null(), File::create(&out)?, File::create(&err)?)?;
        let pid = child.id();
        self.background.push(Background { child, ended: Some(ended) });
        Ok(vec![string(index), string(pid), string(out), string(err)])
    }

    fn find(&mut self, index: usize) -> io::Result<&mut Background> {
        self.background.get_mut(index).ok_or_else(|| io::Error::other("there is no such command"))
    }

    fn stop(&mut self, request: &mut Request) -> io::Result<Strings> {
        let (index, signal) = (request.number()?, request.number()?);
        let found = self.find(index)?;
        // The number of one that has ended may be another's by now.
        if found.status()?.is_none() {
            system::signal_group(found.child.id(), signal);
        }
        Ok(Vec::new())
    }

    fn wait(&mut self, request: &mut Request) -> io::Result<Option<Strings>> {
        let (index, limit) = (request.number()?, Duration::from_millis(request.number()?));
        self.find(index)?;
        self.waits.push(Wait { number: request.number, index, deadline: Instant::now() + limit });
        Ok(None)
    }

    /// Files that can be read when something has ended that is waited for.
    pub fn waiting(&self) -> Vec<RawFd> {
        let background = self.waits.iter().filter_map(|wait| self.background[wait.index].ended.as_ref().map(AsRawFd::as_raw_fd));
        self.runs.iter().map(Run::file).chain(background).collect()
    }

    /// When to look even if nothing has ended.
    pub fn deadline(&self) -> Option<Instant> {
        self.runs.iter().map(|run| run.deadline).chain(self.waits.iter().map(|wait| wait.deadline)).min()
    }

    /// The answers of what has ended since it was asked the last time.
    pub fn ended(&mut self, now: Instant) -> Vec<Answer> {
        let mut answers = Vec::new();
        self.runs.retain_mut(|run| answer(&mut answers, run.number, run.ended(now)));
        let background = &mut self.background;
        self.waits.retain(|wait| {
            let status = background[wait.index].status();
            let over = now >= wait.deadline;
            let found = status.map(|status| match status {
                Some(status) => Some(vec![string(status)]),
                None => over.then(Vec::new),
            });
            answer(&mut answers, wait.number, found)
        });
        answers
    }
}

/// Adds the answer if there is one; returns whether there is none yet.
fn answer(answers: &mut Vec<Answer>, number: u64, found: io::Result<Option<Strings>>) -> bool {
    match found {
        Ok(None) => return true,
        Ok(Some(strings)) => answers.push(Answer::done(number, strings)),
        Err(error) => answers.push(Answer::failed(number, error)),
    }
    false
}

fn put(request: &mut Request) -> io::Result<Strings> {
    let (path, append, mode, data) = (request.text()?, request.number::<u8>()? != 0, request.number()?, request.bytes()?);
    let mut file = File::options().create(true).append(append).write(true).truncate(!append).open(&path)?;
    file.write_all(&data)?;
    fs::set_permissions(&path, Permissions::from_mode(mode))?;
    Ok(Vec::new())
}

fn get(request: &mut Request) -> io::Result<Strings> {
    let (path, offset, length) = (request.text()?, request.number()?, request.number()?);
    let mut data = Vec::new();
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    file.take(length).read_to_end(&mut data)?;
    Ok(vec![data])
}

/// Where a symbolic link leads to.
fn link(request: &mut Request) -> io::Result<Strings> {
    Ok(vec![string(fs::read_link(request.text()?)?.display())])
}

/// The names of those entries of a folder, as sysfs has them for devices, in which a file says a text.
fn entries(request: &mut Request) -> io::Result<Strings> {
    let (folder, file, text) = (request.text()?, request.text()?, request.text()?);
    Ok(saying(&folder, &file, &text)?.into_iter().map(string).collect())
}

/// The names and what is in all files of a folder that can be read.
fn files(request: &mut Request) -> io::Result<Strings> {
    let mut found = Vec::new();
    for entry in fs::read_dir(request.text()?)? {
        let entry = entry?;
        if let Ok(data) = fs::read(entry.path()) {
            found.extend([string(entry.file_name().to_string_lossy()), data]);
        }
    }
    Ok(found)
}

/// The names of the interfaces of devices that have this address. What stands on one may have it too.
fn interfaces(request: &mut Request) -> io::Result<Strings> {
    let mut names = saying(NETWORK, "address", &request.text()?)?;
    names.retain(|name| {
        let device = fs::read_link(format!("{NETWORK}/{name}")).unwrap_or_default();
        device.components().all(|part| part.as_os_str() != "virtual")
    });
    Ok(names.into_iter().map(string).collect())
}

/// Those of which a file says a text.
pub fn saying(folder: &str, file: &str, text: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // One that goes meanwhile, or has no such file, says nothing.
        if fs::read_to_string(entry.path().join(file)).unwrap_or_default().trim_end() == text {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(found)
}

/// Puts what is on the disk of the run's files into /payload.
fn unpack() -> io::Result<Strings> {
    let found = saying("/sys/block", "serial", "payload")?;
    let [disk] = &found[..] else {
        return Err(io::Error::other("there is no disk with the files of this run"));
    };
    let done = Command::new("tar").args(["-xf", &format!("/dev/{disk}"), "-C", "/payload"]).output()?;
    if !done.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&done.stderr)));
    }
    Ok(Vec::new())
}
