// SPDX-License-Identifier: GPL-2.0

//! A file of all packets that cross the device, both ways, as tcpdump and Wireshark read it: pcapng, as
//! draft-ietf-opsawg-pcapng has it. A pcap file has no place for which way a packet went, and two of them
//! would lose the order. Packets are without virtio's header; with each is its virtqueue.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// Kinds of blocks: of a file's beginning, of an interface, of a packet.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
/// By this a reader knows the order of the bytes, which is that of virtio.
const MAGIC: u32 = 0x1a2b_3c4d;
const ETHERNET: u16 = 1;
/// The most bytes of a packet, which is the most that libpcap reads. What is longer is cut off.
const MOST: usize = 0x4_0000;

/// Options: the unit of times is 10^-9 s; which way a packet went; its queue.
const UNIT: u16 = 9;
const NANOSECONDS: u8 = 9;
const FLAGS: u16 = 2;
const QUEUE: u16 = 6;
/// As the guest sees it.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// The record, if one is made.
#[derive(Default)]
pub struct Capture {
    /// Or why it came to an end before it was to.
    file: Option<io::Result<BufWriter<File>>>,
}

impl Capture {
    /// From now on packets are written to this file, which is a new one.
    ///
    /// # Errors
    ///
    /// If the file cannot be written, or that before it could not.
    pub fn begin(&mut self, path: &Path) -> io::Result<()> {
        self.end()?;
        let begun = File::create(path).and_then(|file| {
            let mut file = BufWriter::new(file);
            file.write_all(&beginning())?;
            file.flush()?;
            Ok(file)
        });
        let name = |error| io::Error::other(format!("{}: {error}", path.display()));
        self.file = Some(Ok(begun.map_err(name)?));
        Ok(())
    }

    /// Ends the file, if there is one.
    ///
    /// # Errors
    ///
    /// If not all that was to be in it is.
    pub fn end(&mut self) -> io::Result<()> {
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        file.and_then(|mut file| file.flush())
            .map_err(|error| io::Error::other(format!("the capture is not whole: {error}")))
    }

    /// A packet of `length` bytes crosses in a queue, these of them.
    pub fn see(&mut self, queue: usize, bytes: &[u8], length: usize) {
        if let Some(Ok(file)) = &mut self.file {
            let time = SystemTime::now().duration_since(UNIX_EPOCH);
            let time = time.map_or(0, |time| time.as_nanos() as u64);
            // Who ends the capture is told. The packet goes its way.
            if let Err(error) = file.write_all(&packet(time, queue, bytes, length)) {
                self.file = Some(Err(error));
            }
        }
    }
}

/// What a file begins with.
fn beginning() -> Vec<u8> {
    let mut section = MAGIC.to_le_bytes().to_vec();
    section.extend([1, 0, 0, 0]);
    // Its length is not known yet.
    section.extend([0xff; 8]);
    let mut interface = u32::from(ETHERNET).to_le_bytes().to_vec();
    interface.extend((MOST as u32).to_le_bytes());
    interface.extend(option(UNIT, &[NANOSECONDS]));
    [block(SECTION, section), block(INTERFACE, interface)].concat()
}

/// That of a packet of `length` bytes, of which these are there.
fn packet(time: u64, queue: usize, bytes: &[u8], length: usize) -> Vec<u8> {
    let bytes = &bytes[..bytes.len().min(MOST)];
    let words = [
        0,
        (time >> 32) as u32,
        time as u32,
        bytes.len() as u32,
        length as u32,
    ];
    let mut content: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    content.extend(bytes);
    pad(&mut content);
    let way = if queue % 2 == 1 { OUTBOUND } else { INBOUND };
    content.extend(option(FLAGS, &way.to_le_bytes()));
    content.extend(option(QUEUE, &(queue as u32).to_le_bytes()));
    block(PACKET, content)
}

/// A block, whose options, if it has any, come to an end here.
fn block(kind: u32, mut content: Vec<u8>) -> Vec<u8> {
    content.extend([0; 4]);
    let length = (content.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &content, &length].concat()
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = code.to_le_bytes().to_vec();
    bytes.extend((value.len() as u16).to_le_bytes());
    bytes.extend(value);
    pad(&mut bytes);
    bytes
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, fs, path::PathBuf, process};

    fn path(name: &str) -> PathBuf {
        env::temp_dir().join(format!("{name}-{}.pcapng", process::id()))
    }

    fn words(bytes: &[u8]) -> Vec<u32> {
        assert_eq!(bytes.len() % 4, 0);
        let words = bytes.chunks(4);
        words
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
            .collect()
    }

    /// Each word as the draft has it.
    #[test]
    fn blocks() {
        let section = [SECTION, 32, MAGIC, 1, !0, !0, 0, 32];
        let interface = [1, 32, 1, 0x4_0000, 9 | (1 << 16), 9, 0, 32];
        assert_eq!(words(&beginning()), [section, interface].concat());
        let found = words(&packet((5 << 32) | 6, 3, &[1, 2, 3, 4, 5], 7));
        let data = [0x0403_0201, 5];
        let options = [2 | (4 << 16), 2, 6 | (4 << 16), 3, 0];
        let head = [6, 60, 0, 5, 6, 5, 7];
        assert_eq!(found, [&head[..], &data, &options, &[60]].concat());
        // The other way.
        assert_eq!(words(&packet(0, 2, &[], 0))[8], 1);
    }

    #[test]
    fn too_long() {
        let found = words(&packet(0, 0, &vec![7; MOST + 1], MOST + 1));
        assert_eq!(found[5..7], [MOST as u32, MOST as u32 + 1]);
        assert_eq!(found[1] as usize, 4 * found.len());
    }

    #[test]
    fn files() {
        let (first, second) = (path("first"), path("second"));
        let mut capture = Capture::default();
        capture.see(1, &[1; 60], 60);
        capture.begin(&first).unwrap();
        capture.see(1, &[2; 60], 60);
        // Ends the first one.
        capture.begin(&second).unwrap();
        let length = |path| fs::read(path).unwrap().len();
        assert_eq!(
            length(&first),
            beginning().len() + packet(0, 1, &[2; 60], 60).len()
        );
        assert_eq!(length(&second), beginning().len());
        capture.see(0, &[3; 50], 60);
        capture.end().unwrap();
        let both = length(&second);
        capture.see(0, &[4; 60], 60);
        capture.end().unwrap();
        assert_eq!(
            length(&second),
            beginning().len() + packet(0, 0, &[3; 50], 60).len()
        );
        assert_eq!(length(&second), both);
        [first, second]
            .iter()
            .for_each(|path| fs::remove_file(path).unwrap());
    }

    /// It is said once, by what comes next.
    #[test]
    fn failures() {
        let mut capture = Capture::default();
        let error = capture.begin(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"));
        assert!(capture.begin(Path::new("/dev/full")).is_err());
        capture.end().unwrap();

        let path = path("failures");
        // Cannot be written.
        let file = || Some(Ok(BufWriter::new(File::open("/dev/null").unwrap())));
        capture.file = file();
        capture.see(0, &[0; 10_000], 10_000);
        capture.see(0, &[0; 60], 60);
        assert!(capture.begin(&path).is_err());
        assert!(!path.exists());
        capture.end().unwrap();
        // What fails is the end.
        capture.file = file();
        capture.see(0, &[0; 60], 60);
        assert!(capture.end().is_err());
        capture.end().unwrap();
    }
}
