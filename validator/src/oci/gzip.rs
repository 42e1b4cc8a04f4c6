//! gzip as others write it: one or more members, each judged by itself (OCI-043 to OCI-047).

use std::io::{self, BufRead, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::clause::{self, Clause};
use crate::diagnostic::{Excerpt, Place, Violation};

/// What a member begins with.
pub(super) const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Flags of a header (RFC 1952, section 2.3.1).
mod flag {
    pub(super) const HEADER_CHECKSUM: u8 = 0b10;
    pub(super) const EXTRA: u8 = 0b100;
    pub(super) const NAME: u8 = 0b1000;
    pub(super) const COMMENT: u8 = 0b1_0000;
    pub(super) const RESERVED: u8 = 0b1110_0000;
}

/// Decodes all members and says what is wrong with them.
pub(super) struct Decoder<R> {
    input: R,
    /// Bytes of the input that have been used.
    at: u64,
    state: State,
    inflate: Decompress,
    content: Crc,
    members: u64,
    /// Where the member begins.
    start: u64,
    /// Where the second member begins.
    second: u64,
    violations: Vec<Violation>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Data,
    End,
}

/// Reading ends here; what is wrong has been said.
struct Stop;

impl<R: BufRead> Decoder<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            at: 0,
            state: State::Header,
            inflate: Decompress::new(false),
            content: Crc::new(),
            members: 0,
            start: 0,
            second: 0,
            violations: Vec::new(),
        }
    }

    /// The input, and what is wrong with the members.
    pub(super) fn finish(mut self) -> (R, Vec<Violation>) {
        // OCI-046
        if self.members > 1 {
            let message = format!("the layer has {} gzip members", self.members);
            let place = Place::bytes(self.second..self.second);
            self.violations.push(Violation::new(&clause::OCI_046, place, message));
        }
        self.violations.sort_by_key(|violation| violation.place.bytes.as_ref().map_or(0, |bytes| bytes.start));
        (self.input, self.violations)
    }

    fn report(&mut self, clause: &'static Clause, start: u64, bytes: &[u8], message: String) -> Stop {
        let mut place = Place::bytes(start..start + bytes.len() as u64);
        place.excerpt = (!bytes.is_empty()).then(|| Excerpt::of_binary(start, bytes));
        self.violations.push(Violation::new(clause, place, message));
        Stop
    }

    /// Fills `buffer` as far as there is input, and says how much of it.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            let read = self.input.read(room)?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        self.at += filled as u64;
        Ok(filled)
    }

    /// The next bytes of a header, `N` of them.
    fn header_bytes<const N: usize>(&mut self, checksum: &mut Crc) -> io::Result<Result<[u8; N], Stop>> {
        let mut bytes = [0; N];
        let taken = self.take(&mut bytes)?;
        checksum.update(bytes.get(..taken).unwrap_or_default());
        Ok(if taken == N { Ok(bytes) } else { Err(self.truncated("in the header of a member")) })
    }

    /// OCI-044
    fn truncated(&mut self, place: &str) -> Stop {
        self.report(&clause::OCI_044, self.at, &[], format!("the layer ends {place}"))
    }

    /// The rest of the header of a member, of which the first two bytes have been read.
    fn header(&mut self) -> io::Result<Result<(), Stop>> {
        let start = self.at - MAGIC.len() as u64;
        let mut checksum = Crc::new();
        checksum.update(&MAGIC);
        macro_rules! next {
            ($length:literal) => {
                match self.header_bytes::<$length>(&mut checksum)? {
                    Ok(bytes) => bytes,
                    Err(stop) => return Ok(Err(stop)),
                }
            };
        }
        let [method, flags, ..] = next!(8);
        // OCI-043
        if method != 8 || flags & flag::RESERVED != 0 {
            let shown = [MAGIC.as_slice(), &[method, flags]].concat();
            let message = if method == 8 {
                format!("the flags {flags:#04x} of a member have a bit that is reserved")
            } else {
                format!("a member is compressed by the method {method}, not by deflate, which is 8")
            };
            return Ok(Err(self.report(&clause::OCI_043, start, &shown, message)));
        }
        if flags & flag::EXTRA != 0 {
            for _ in 0..u16::from_le_bytes(next!(2)) {
                next!(1);
            }
        }
        for text in [flag::NAME, flag::COMMENT] {
            while flags & text != 0 && next!(1) != [0] {}
        }
        if flags & flag::HEADER_CHECKSUM != 0 {
            let wanted = checksum.sum() as u16;
            let at = self.at;
            let given = next!(2);
            if u16::from_le_bytes(given) != wanted {
                let message = format!(
                    "the checksum of a member's header is {:#06x}; the header has {wanted:#06x}",
                    u16::from_le_bytes(given)
                );
                return Ok(Err(self.report(&clause::OCI_043, at, &given, message)));
            }
        }
        Ok(Ok(()))
    }

    /// The end of a member: its checksum and length.
    fn trailer(&mut self) -> io::Result<Result<(), Stop>> {
        let start = self.at;
        let mut trailer = [0; 8];
        if self.take(&mut trailer)? < trailer.len() {
            return Ok(Err(self.truncated("in the checksum and length of a member")));
        }
        let [a, b, c, d, e, f, g, h] = trailer;
        let (checksum, length) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        // OCI-045
        let message = if checksum != self.content.sum() {
            format!("the CRC-32 of a member is {checksum:08x}; its content has {:08x}", self.content.sum())
        } else if length != self.content.amount() {
            format!("the length of a member is {length}; its content has {} bytes", self.content.amount())
        } else {
            return Ok(Ok(()));
        };
        Ok(Err(self.report(&clause::OCI_045, start, &trailer, message)))
    }

    /// What follows a member, or begins the layer: another one, nothing, or something else.
    fn begin(&mut self) -> io::Result<Result<bool, Stop>> {
        let start = self.at;
        let mut head = [0; 2];
        let taken = self.take(&mut head)?;
        let head = head.get(..taken).unwrap_or_default();
        if head.is_empty() {
            return Ok(Ok(false));
        }
        if head != MAGIC {
            // OCI-047; that a layer begins with a member has been seen before.
            let message = "something follows the last gzip member".to_owned();
            return Ok(Err(self.report(&clause::OCI_047, start, head, message)));
        }
        self.members += 1;
        self.start = start;
        if self.members == 2 {
            self.second = start;
        }
        Ok(self.header()?.map(|()| true))
    }

    /// Decodes some of a member; nothing at its end.
    fn data(&mut self, buffer: &mut [u8]) -> io::Result<Result<usize, Stop>> {
        loop {
            let input = self.input.fill_buf()?;
            let is_over = input.is_empty();
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(input, buffer, FlushDecompress::None);
            let used = usize::try_from(self.inflate.total_in() - before_in).unwrap_or_default();
            let made = usize::try_from(self.inflate.total_out() - before_out).unwrap_or_default();
            self.input.consume(used);
            self.at += used as u64;
            self.content.update(buffer.get(..made).unwrap_or_default());
            match status {
                Err(_) => {
                    // The decoder does not say where: how much it has taken depends on how much there was. So does what
                    // it says is wrong.
                    let message = "the data of the member that begins here is no deflate".to_owned();
                    return Ok(Err(self.report(&clause::OCI_043, self.start, &[], message)));
                }
                Ok(_) if made > 0 => return Ok(Ok(made)),
                Ok(Status::StreamEnd) => return Ok(Ok(0)),
                Ok(_) if is_over => return Ok(Err(self.truncated("in the data of a member"))),
                Ok(_) => {}
            }
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let step = match self.state {
                State::End => return Ok(0),
                State::Header => self.begin()?.map(|goes_on| {
                    self.inflate.reset(false);
                    self.content.reset();
                    self.state = if goes_on { State::Data } else { State::End };
                }),
                State::Data => match self.data(buffer)? {
                    Ok(0) => self.trailer()?.map(|()| self.state = State::Header),
                    Ok(made) => return Ok(made),
                    Err(stop) => Err(stop),
                },
            };
            if step.is_err() {
                self.state = State::End;
            }
        }
    }
}
