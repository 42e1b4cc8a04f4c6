//! How the members of an object are declared: by name, type and presence.

use crate::shown::quoted;

/// What a member holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Integer,
    Boolean,
    Object,
    /// An object whose members are strings.
    Strings,
    /// An object whose members are objects.
    Objects,
    StringArray,
    IntegerArray,
    ObjectArray,
    Any,
}

impl Type {
    /// What messages call the type, and how a value of it is written.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::String => ("a string", "write the value in double quotes"),
            Self::Integer => ("an integer", "write a number without quotes"),
            Self::Boolean => ("a boolean", "write `true` or `false`, without quotes"),
            Self::Object | Self::Strings | Self::Objects => ("an object", "write an object, in `{` and `}`"),
            Self::StringArray | Self::IntegerArray | Self::ObjectArray => {
                ("an array", "write an array, in `[` and `]`")
            }
            Self::Any => ("of any type", "write a value"),
        }
    }
}

/// Whether a member has to be there, and what it must not hold.
#[derive(Clone, Copy)]
pub(super) enum Presence {
    Required,
    Optional,
    Default(Default),
}

/// A value that a member must not hold (MAN-007).
#[derive(Clone, Copy)]
pub(super) enum Default {
    String(&'static str),
    Integer(i64),
    Boolean(bool),
    Empty,
}

impl Default {
    /// What a member that holds it does, in the words of a message.
    pub(super) fn seen(self) -> String {
        match self {
            Self::String(text) => format!("is {}", quoted(text)),
            Self::Integer(number) => format!("is {number}"),
            Self::Boolean(value) => format!("is {value}"),
            Self::Empty => "is empty".to_owned(),
        }
    }
}

/// The members of an object.
pub(super) type Table = [(&'static str, Type, Presence)];
