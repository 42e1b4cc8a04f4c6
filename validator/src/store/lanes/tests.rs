//! Lanes: who does which step, and that everything comes.

use std::sync::Barrier;

use proptest::prelude::*;

use super::*;

/// Takes the next step, which has to be to read, and reads.
fn read(lane: &mut Progress) {
    let Some(Step::Read(mut piece)) = lane.take() else { panic!("it does not read") };
    piece.length = 1;
    lane.has_read(Ok(Some(piece)));
}

/// Takes the next step, which has to be to give a piece to `sink`, and gives the piece.
fn give(lane: &mut Progress, sink: usize) -> Arc<Piece> {
    match lane.take() {
        Some(Step::Give(taker, piece)) if taker == sink => piece,
        _ => panic!("it does not give to {sink}"),
    }
}

#[test]
fn sinks_that_lag_behind_come_before_reading() {
    let mut lane = Progress::default();
    for _ in 0..2 {
        read(&mut lane);
    }
    for _ in 0..3 {
        for sink in [1, 0] {
            let piece = give(&mut lane, sink);
            lane.taken(sink, piece);
        }
        read(&mut lane);
    }
}

#[test]
fn a_lane_is_done_when_both_sinks_have_everything() {
    let mut lane = Progress::default();
    assert!(!lane.is_done());
    read(&mut lane);
    let Some(Step::Read(_)) = lane.take() else { panic!("it does not read") };
    lane.has_read(Ok(None));
    let pieces = [1, 0].map(|sink| (sink, give(&mut lane, sink)));
    for (sink, piece) in pieces {
        assert!(!lane.is_done());
        assert!(lane.take().is_none());
        lane.taken(sink, piece);
    }
    assert!(lane.is_done());
}

#[test]
fn a_slow_sink_keeps_no_more_than_eight_pieces() {
    let mut lane = Progress::default();
    for _ in 0..2 {
        read(&mut lane);
    }
    let mut quick = give(&mut lane, 1);
    let _slow = give(&mut lane, 0);
    for _ in 2..PIECES {
        lane.taken(1, quick);
        read(&mut lane);
        quick = give(&mut lane, 1);
    }
    lane.taken(1, quick);
    let last = give(&mut lane, 1);
    lane.taken(1, last);
    assert!(lane.take().is_none());
    assert_eq!(lane.pieces.len() as u64, PIECES);
}

#[test]
fn so_many_lanes_are_open_and_everybody_helps() {
    let states = (0..3).map(|_| Progress::default()).collect();
    let mut board = Board { states, opened: 0, done: 0, most: 2 };
    let mut threads = [None; 4];
    let lanes = threads.each_mut().map(|mine| match board.take(mine) {
        Some((lane, Step::Read(piece))) => Some((lane, piece)),
        _ => None,
    });
    assert_eq!(lanes.each_ref().map(|lane| lane.as_ref().map(|(lane, _)| *lane)), [Some(0), Some(1), None, None]);
    // What one thread reads another one gives to a sink.
    for (lane, mut piece) in lanes.into_iter().flatten() {
        piece.length = 1;
        board.states[lane].has_read(Ok(Some(piece)));
    }
    let given =
        threads.each_mut().map(|mine| board.take(mine).map(|(lane, step)| (lane, matches!(step, Step::Read(_)))));
    assert_eq!(given, [Some((0, true)), Some((1, true)), Some((0, false)), Some((0, false))]);
    assert_eq!(threads, [Some(0), Some(1), None, None]);
}

#[test]
fn the_last_lanes_are_shared() {
    let mut board = Board { states: vec![Progress::default()], opened: 0, done: 0, most: 2 };
    let (mut one, mut two) = (None, None);
    let Some((0, Step::Read(mut piece))) = board.take(&mut one) else { panic!("it does not read") };
    assert!(board.take(&mut two).is_none());
    piece.length = 1;
    board.states[0].has_read(Ok(Some(piece)));
    assert!(matches!(board.take(&mut one), Some((0, Step::Read(_)))));
    assert!(matches!(board.take(&mut two), Some((0, Step::Give(1, _)))));
}

/// With enough threads, the source and both sinks of four lanes are at work together: each waits for all others.
#[test]
fn all_steps_run_at_once() {
    let all = &Barrier::new(STEPS * LANES);
    let lane = |_| {
        let mut reads = 0;
        let source: Source<'_> = Box::new(move |buffer| {
            reads += 1;
            match reads {
                1 => return Ok(buffer.len()),
                2 => _ = all.wait(),
                _ => {}
            }
            Ok(0)
        });
        let sink = || -> Sink<'_> { Box::new(|_| _ = all.wait()) };
        Lane::new(source, [sink(), sink()])
    };
    let errors = run((0..LANES).map(lane).collect(), NonZero::new(100).unwrap());
    assert!(errors.iter().all(Option::is_none));
}

/// More than what is in memory at once.
#[test]
fn long_lanes_reach_their_end() {
    for jobs in [1, 2, 3] {
        let (mut left, mut taken) = (3 * PIECES, [0, 0]);
        let source: Source<'_> = Box::new(|buffer| {
            left = left.saturating_sub(1);
            Ok(if left > 0 { buffer.len() } else { 0 })
        });
        let [one, two] = &mut taken;
        let lane = Lane::new(source, [Box::new(|bytes| *one += bytes.len()), Box::new(|bytes| *two += bytes.len())]);
        run(vec![lane], NonZero::new(jobs).unwrap());
        assert_eq!(taken, [PIECE * (3 * PIECES as usize - 1); 2]);
    }
}

fn collecting(taken: &mut Vec<u8>) -> Sink<'_> {
    Box::new(|bytes| taken.extend_from_slice(bytes))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Both sinks of each lane get all bytes in order, up to the error of the source if there is one.
    #[test]
    fn each_sink_gets_all_bytes(
        blobs in prop::collection::vec((0_usize..5 * PIECE, any::<bool>()), 0..9),
        most in 1_usize..2 * PIECE,
        jobs in 1_usize..7,
    ) {
        let bytes = |lane: usize, size: usize| (0..size).map(|at| (at / 7 + lane) as u8).collect::<Vec<u8>>();
        let whole: Vec<Vec<u8>> = blobs.iter().enumerate().map(|(lane, (size, _))| bytes(lane, *size)).collect();
        let mut taken = vec![[Vec::new(), Vec::new()]; blobs.len()];
        let lanes = taken.iter_mut().zip(&whole).zip(&blobs).map(|(([one, two], whole), (_, fails))| {
            let mut rest = whole.as_slice();
            let source: Source<'_> = Box::new(move |buffer| {
                if rest.is_empty() && *fails {
                    return Err(io::ErrorKind::Other.into());
                }
                let (now, later) = rest.split_at(rest.len().min(buffer.len()).min(most));
                buffer[..now.len()].copy_from_slice(now);
                rest = later;
                Ok(now.len())
            });
            Lane::new(source, [collecting(one), collecting(two)])
        });
        let lanes: Vec<Lane<'_>> = lanes.collect();
        let errors = run(lanes, NonZero::new(jobs).unwrap());
        for ((taken, whole), ((_, fails), error)) in taken.iter().zip(&whole).zip(blobs.iter().zip(&errors)) {
            prop_assert_eq!(error.is_some(), *fails);
            for taken in taken {
                // What was read together with the error is not given on.
                let given = if *fails { whole.len() - whole.len() % PIECE } else { whole.len() };
                prop_assert!(*taken == whole[..given]);
            }
        }
    }
}
