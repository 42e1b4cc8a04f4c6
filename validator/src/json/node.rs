//! The tree that the reader makes.

use std::ops::Range;

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The bytes that the value stands in.
    pub bytes: Range<usize>,
    /// The value.
    pub value: Value,
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`, or a number or string that breaks a clause of the JSON chapter: reported there, and
    /// of no type at all.
    Invalid,
    /// `true` or `false`.
    Boolean(bool),
    /// An integer whose magnitude is at most 2^53 − 1.
    Integer(i64),
    /// A string after escapes have been replaced.
    String(String),
    /// An array.
    Array(Vec<Node>),
    /// An object: its members in the order of the document, each name once.
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name after escapes have been replaced.
    pub name: String,
    /// The bytes that the name stands in, with its quotes.
    pub name_bytes: Range<usize>,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The value of the member `name`, if this is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.members().iter().find(|member| member.name == name).map(|member| &member.node)
    }

    /// The members, if this is an object; otherwise none.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        match &self.value {
            Value::Object(members) => members,
            _ => &[],
        }
    }

    /// The elements, if this is an array; otherwise none.
    #[must_use]
    pub fn elements(&self) -> &[Node] {
        match &self.value {
            Value::Array(elements) => elements,
            _ => &[],
        }
    }

    /// The string, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(string) => Some(string),
            _ => None,
        }
    }

    /// The integer, if this is one.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match &self.value {
            Value::Integer(integer) => Some(*integer),
            _ => None,
        }
    }

    /// The same as a `serde_json` value; [`Value::Invalid`] becomes `null`.
    #[must_use]
    pub fn to_serde(&self) -> serde_json::Value {
        match &self.value {
            Value::Invalid => serde_json::Value::Null,
            Value::Boolean(boolean) => (*boolean).into(),
            Value::Integer(integer) => (*integer).into(),
            Value::String(string) => string.as_str().into(),
            Value::Array(elements) => elements.iter().map(Node::to_serde).collect(),
            Value::Object(members) => {
                members.iter().map(|member| (member.name.clone(), member.node.to_serde())).collect()
            }
        }
    }
}

impl Value {
    /// What the value is called in a message.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Invalid => "no value",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}
