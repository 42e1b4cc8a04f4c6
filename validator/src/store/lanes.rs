//! Reading several blobs at once, each in three steps that can run beside one another.
//!
//! A lane is a blob: a source that gives its bytes, and two sinks that take all of them in order, such as
//! a hash and a walk. The steps of a lane are done piece by piece by whichever thread is free, so that two
//! threads are busy with one large blob as well as with eight.

use std::collections::VecDeque;
use std::io;
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Fills a buffer and says how much of it; nothing at the end.
pub type Source<'a> = Box<dyn FnMut(&mut [u8]) -> io::Result<usize> + Send + 'a>;

/// Takes the next bytes in.
pub type Sink<'a> = Box<dyn FnMut(&[u8]) + Send + 'a>;

/// A blob that is read.
pub struct Lane<'a> {
    source: Mutex<Source<'a>>,
    sinks: [Mutex<Sink<'a>>; 2],
}

impl<'a> Lane<'a> {
    /// A lane from `source` to both of `sinks`.
    pub fn new(source: Source<'a>, sinks: [Sink<'a>; 2]) -> Self {
        Self { source: Mutex::new(source), sinks: sinks.map(Mutex::new) }
    }
}

/// Bytes of a piece.
const PIECE: usize = 256 << 10;

/// Pieces of one lane that can be in memory.
const PIECES: u64 = 8;

/// Lanes that are open at once, however many threads there are: each needs memory for its pieces, and for
/// the window of a decoder.
const LANES: usize = 4;

/// Steps of a lane, each of which a thread can do: its source and its sinks.
const STEPS: usize = 3;

/// Runs all lanes with `jobs` threads, and gives the errors of their sources by lane.
///
/// At most `jobs` lanes are open at once, and at most four, in their order. A lane whose source fails ends there.
///
/// ```
/// use std::num::NonZero;
///
/// use cornercast::store::lanes::{Lane, run};
///
/// let (mut input, mut length, mut text) = (&b"hello"[..], 0, Vec::new());
/// let lane = Lane::new(
///     Box::new(|buffer| std::io::Read::read(&mut input, buffer)),
///     [Box::new(|bytes| length += bytes.len()), Box::new(|bytes| text.extend_from_slice(bytes))],
/// );
/// let errors = run(vec![lane], NonZero::new(2).unwrap());
/// assert!(errors.iter().all(Option::is_none));
/// assert_eq!((length, text.as_slice()), (5, &b"hello"[..]));
/// ```
pub fn run(lanes: Vec<Lane<'_>>, jobs: NonZero<usize>) -> Vec<Option<io::Error>> {
    let states = lanes.iter().map(|_| Progress::default()).collect();
    let shared = Shared {
        lanes: &lanes,
        board: Mutex::new(Board { states, opened: 0, done: 0, most: jobs.get().min(LANES) }),
        changed: Condvar::new(),
    };
    std::thread::scope(|scope| {
        // More threads than steps would only wait.
        for _ in 1..jobs.get().min(STEPS * LANES) {
            scope.spawn(|| shared.work());
        }
        shared.work();
    });
    let board = shared.board.into_inner().unwrap_or_else(PoisonError::into_inner);
    board.states.into_iter().map(|state| state.error).collect()
}

/// How far a lane is.
#[derive(Default)]
struct Progress {
    /// The pieces that not both sinks have taken.
    pieces: VecDeque<Arc<Piece>>,
    /// The number of the first of them.
    first: u64,
    /// The number of the piece that each sink takes next.
    next: [u64; 2],
    /// Steps that a thread is doing: the sinks and the source.
    busy: [bool; STEPS],
    ended: bool,
    error: Option<io::Error>,
    /// Buffers to be used again.
    spare: Vec<Piece>,
}

/// What a thread does next.
enum Step {
    /// Reads a piece into this buffer.
    Read(Piece),
    /// Gives a piece to a sink.
    Give(usize, Arc<Piece>),
}

impl Progress {
    fn read(&self) -> u64 {
        self.first + self.pieces.len() as u64
    }

    fn is_done(&self) -> bool {
        self.ended && self.busy == [false; STEPS] && self.next == [self.read(); 2]
    }

    /// Takes the most urgent step that nobody does: sinks that lag behind, then reading, then the rest.
    fn take(&mut self) -> Option<Step> {
        let backlog = |sink: usize| {
            let (next, busy) = (self.next.get(sink)?, self.busy.get(sink)?);
            (!busy).then(|| (self.read() - next, sink))
        };
        // Of two sinks that lag alike the second one comes first: it has the longer way.
        let urgent = backlog(0).max(backlog(1));
        let can_read = !self.busy[2] && !self.ended && (self.pieces.len() as u64) < PIECES;
        if can_read && urgent.is_none_or(|(waiting, _)| waiting < 2) {
            self.busy[2] = true;
            return Some(Step::Read(self.spare.pop().unwrap_or_else(Piece::new)));
        }
        let (_, sink) = urgent?;
        let next = self.next.get_mut(sink)?;
        let piece = self.pieces.get(usize::try_from(*next - self.first).ok()?)?.clone();
        *next += 1;
        *self.busy.get_mut(sink)? = true;
        Some(Step::Give(sink, piece))
    }

    /// A sink has taken a piece.
    fn taken(&mut self, sink: usize, piece: Arc<Piece>) {
        drop(piece);
        if let Some(busy) = self.busy.get_mut(sink) {
            *busy = false;
        }
        let in_use = self.next.iter().zip(&self.busy).map(|(next, busy)| next - u64::from(*busy));
        let oldest = in_use.min().unwrap_or_default();
        while self.first < oldest {
            self.first += 1;
            let piece = self.pieces.pop_front().and_then(Arc::into_inner);
            self.spare.extend(piece);
        }
        if self.is_done() {
            self.spare = Vec::new();
        }
    }

    /// A piece has been read.
    fn has_read(&mut self, read: io::Result<Option<Piece>>) {
        self.busy[2] = false;
        match read {
            Ok(Some(piece)) => self.pieces.push_back(Arc::new(piece)),
            Ok(None) => self.ended = true,
            Err(error) => {
                self.ended = true;
                self.error = Some(error);
            }
        }
    }
}

struct Board {
    states: Vec<Progress>,
    opened: usize,
    done: usize,
    /// Lanes that can be open at once.
    most: usize,
}

impl Board {
    /// A step of the lane that the thread is in, of a new one, or of any other.
    fn take(&mut self, mine: &mut Option<usize>) -> Option<(usize, Step)> {
        if let Some(lane) = *mine
            && let Some(step) = self.states.get_mut(lane)?.take()
        {
            return Some((lane, step));
        }
        let may_open = self.opened < self.states.len() && self.opened - self.done < self.most;
        if may_open && mine.is_none_or(|lane| self.states.get(lane).is_none_or(Progress::is_done)) {
            let lane = self.opened;
            self.opened += 1;
            *mine = Some(lane);
            return Some((lane, self.states.get_mut(lane)?.take()?));
        }
        let opened = self.opened;
        self.states.iter_mut().take(opened).enumerate().find_map(|(lane, state)| Some((lane, state.take()?)))
    }
}

struct Shared<'a, 'b> {
    lanes: &'a [Lane<'b>],
    board: Mutex<Board>,
    changed: Condvar,
}

impl Shared<'_, '_> {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut mine = None;
        let mut board = self.board();
        while board.done < board.states.len() {
            let Some((number, step)) = board.take(&mut mine) else {
                board = self.changed.wait(board).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(board);
            let Some(lane) = self.lanes.get(number) else { return };
            let done: Box<dyn FnOnce(&mut Progress)> = match step {
                Step::Read(buffer) => {
                    let read = fill(&mut lane.source.lock().unwrap_or_else(PoisonError::into_inner), buffer);
                    Box::new(move |state| state.has_read(read))
                }
                Step::Give(sink, piece) => {
                    if let Some(sink) = lane.sinks.get(sink) {
                        sink.lock().unwrap_or_else(PoisonError::into_inner)(piece.bytes());
                    }
                    Box::new(move |state| state.taken(sink, piece))
                }
            };
            board = self.board();
            if let Some(state) = board.states.get_mut(number) {
                done(state);
                board.done += usize::from(state.is_done());
            }
            self.changed.notify_all();
        }
    }
}

/// Fills a buffer from a source; nothing at its end.
fn fill(source: &mut Source<'_>, mut piece: Piece) -> io::Result<Option<Piece>> {
    piece.length = 0;
    while let Some(rest) = piece.rest().filter(|rest| !rest.is_empty()) {
        match source(rest) {
            Ok(0) => break,
            Ok(read) => piece.length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((piece.length > 0).then_some(piece))
}

/// A buffer, as far as it is filled.
struct Piece {
    memory: Vec<u8>,
    /// Where the buffer begins in its memory: at the beginning of a page, since some processors copy
    /// several times slower to where the allocator puts large blocks, 16 bytes after it.
    start: usize,
    length: usize,
}

impl Piece {
    const PAGE: usize = 4096;

    fn new() -> Self {
        let memory = vec![0; PIECE + Self::PAGE];
        let start = memory.as_ptr().align_offset(Self::PAGE).min(Self::PAGE);
        Self { memory, start, length: 0 }
    }

    fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.start + self.length).unwrap_or_default()
    }

    fn rest(&mut self) -> Option<&mut [u8]> {
        self.memory.get_mut(self.start + self.length..self.start + PIECE)
    }
}

#[cfg(test)]
mod tests;
