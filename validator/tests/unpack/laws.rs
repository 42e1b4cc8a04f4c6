//! Random images.

use std::num::NonZero;

use cornercast::unpack::{Options, Owner, unpack};
use proptest::prelude::*;

use super::disk::{Canary, entries, expected};
use super::image::{image, merged};
use super::random::layers;
use super::{cases, options, owner};

proptest! {
    #![proptest_config(cases(100))]

    /// An image becomes what its merged listing says, whatever its layers hide, and whoever unpacks it.
    #[test]
    fn an_image_becomes_its_merged_listing(
        layers in layers(),
        verify in any::<bool>(),
        jobs in 1..4_usize,
        all_mine in prop::bool::weighted(0.2),
    ) {
        let (store, tree, canary) = (image(&layers), merged(&layers), Canary::new());
        let owner = if all_mine { Owner::Caller } else { owner() };
        let options = Options { owner, jobs: NonZero::new(jobs).unwrap(), ..options(verify) };
        let unpacked = unpack(&store, store.id, "image", &canary.target(), &options);
        let unpacked = unpacked.map_err(|error| TestCaseError::fail(format!("{error}: {error:?}")))?;
        prop_assert_eq!(unpacked.rootfs, tree.summary().digest);
        prop_assert_eq!(unpacked.verified, verify);
        prop_assert_eq!(entries(&canary.target()), expected(&tree, &unpacked, owner));
        canary.check(true);
    }
}
