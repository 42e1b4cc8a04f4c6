//! Steps that ask the kernel for what no application needs.
//!
//! They are made in earnest as far as a filter or a check of privileges can tell, and so that nothing
//! comes of them where both let them through: on a machine that is not meant for it, as root.

use rustix::io::Errno;
use rustix::system::{delete_module as unload, init_module as load};
use rustix::thread::{ClockId, Timespec};

use super::step::{DONE, Outcome, Parameters, Step};
use crate::sys;

pub(super) const STEPS: &[Step] = &[
    Step::new("bpf", |_| through(sys::bpf())),
    Step::new("perf", |_| through(sys::perf())),
    Step::new("keyctl", |_| through(sys::keyctl())),
    Step::new("add-key", |_| through(sys::add_key())),
    Step::new("request-key", |_| through(sys::request_key())),
    Step::new("userfaultfd", |_| through(sys::userfaultfd())),
    Step::new("open-by-handle", |_| through(sys::open_by_handle())),
    Step::new("init-module", init_module),
    Step::new("delete-module", delete_module),
    Step::new("kexec", |_| through(sys::kexec())),
    Step::new("reboot", |_| through(sys::reboot())),
    Step::new("settimeofday", |_| through(sys::settimeofday())),
    Step::new("clock-settime", clock_settime),
    Step::new("adjtimex", |_| through(sys::adjtimex())),
    Step::new("swapon:PATH", |parameters| through(sys::swap(parameters.one()?, true))),
    Step::new("swapoff:PATH", |parameters| through(sys::swap(parameters.one()?, false))),
    Step::new("iopl", |_| through(sys::iopl())),
    Step::new("io-uring", |_| through(sys::io_uring())),
];

fn through(result: std::io::Result<()>) -> Outcome {
    result?;
    DONE
}

fn init_module(_: Parameters<'_>) -> Outcome {
    load(&[], c"")?;
    DONE
}

fn delete_module(_: Parameters<'_>) -> Outcome {
    unload(c"cornercast_probe_has_no_such_module", libc::O_NONBLOCK)?;
    DONE
}

/// The kernel looks at the time before it looks at privileges, so this tells of filters alone.
fn clock_settime(_: Parameters<'_>) -> Outcome {
    rustix::time::clock_settime(ClockId::Realtime, Timespec { tv_sec: 0, tv_nsec: -1 })?;
    // No kernel takes such a time.
    Err(Errno::PROTO.into())
}
