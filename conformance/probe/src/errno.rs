//! The symbols of errors, such as `EPERM`.

use std::io;

/// The symbol of an error of the kernel; its number or its words where it has none.
pub(crate) fn symbol(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => SYMBOLS
            .iter()
            .find(|(_, other)| *other == number)
            .map_or_else(|| format!("E{number}"), |(symbol, _)| (*symbol).to_owned()),
        None => error.to_string(),
    }
}

macro_rules! symbols {
    ($($symbol:ident)*) => { [$((stringify!($symbol), libc::$symbol)),*] };
}

const SYMBOLS: [(&str, i32); 131] = symbols! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST
    EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM
    ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG
    EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG
    EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC
    ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE
    ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL
    ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT
    ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT
    ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL
    EHWPOISON
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_named() {
        assert_eq!(symbol(&io::Error::from_raw_os_error(1)), "EPERM");
        assert_eq!(symbol(&io::Error::from_raw_os_error(133)), "EHWPOISON");
        assert_eq!(symbol(&io::Error::from_raw_os_error(4000)), "E4000");
        assert_eq!(symbol(&io::Error::other("no such thing")), "no such thing");
    }
}
