//! Where a source file can be changed: its operators, arms and literals of structs, with what they stand in.

use std::collections::BTreeMap;
use std::ops::Range;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Keys are the offsets at which an operator, an arm or a guard begins.
#[derive(Default)]
pub struct Sites {
    /// The whole expression of each operator.
    pub operators: BTreeMap<usize, Operator>,
    pub arms: BTreeMap<usize, Arm>,
    /// The arm of each guard.
    pub guards: BTreeMap<usize, usize>,
    pub matches: Vec<Range<usize>>,
    pub structs: Vec<Range<usize>>,
    /// Code that the compiler runs, in which nothing can be asked.
    pub constant: Vec<Range<usize>>,
}

pub struct Operator {
    pub expression: Range<usize>,
    pub token: Range<usize>,
    /// It joins the parts of a chain with `let`, which is no expression.
    pub joins_let: bool,
}

pub struct Arm {
    pub end_of_pattern: usize,
    pub guard: Option<Range<usize>>,
    pub guard_has_let: bool,
}

impl Sites {
    pub fn of(text: &str) -> syn::Result<Self> {
        let mut sites = Self::default();
        sites.visit_file(&syn::parse_file(text)?);
        Ok(sites)
    }

    pub fn is_constant(&self, at: usize) -> bool {
        self.constant.iter().any(|range| range.contains(&at))
    }
}

fn range(node: &impl Spanned) -> Range<usize> {
    node.span().byte_range()
}

fn has_let(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Sites {
    fn visit_expr_binary(&mut self, node: &'ast syn::ExprBinary) {
        let joins_let = has_let(&node.left) || has_let(&node.right);
        let token = range(&node.op);
        self.operators.insert(token.start, Operator { expression: range(node), token, joins_let });
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_unary(&mut self, node: &'ast syn::ExprUnary) {
        let token = range(&node.op);
        self.operators.insert(token.start, Operator { expression: range(node), token, joins_let: false });
        visit::visit_expr_unary(self, node);
    }

    fn visit_arm(&mut self, node: &'ast syn::Arm) {
        let guard = node.guard.as_ref().map(|(_, guard)| range(guard));
        let start = range(node).start;
        if let Some(guard) = &guard {
            self.guards.insert(guard.start, start);
        }
        let guard_has_let = node.guard.as_ref().is_some_and(|(_, guard)| has_let(guard));
        self.arms.insert(start, Arm { end_of_pattern: range(&node.pat).end, guard, guard_has_let });
        visit::visit_arm(self, node);
    }

    fn visit_expr_match(&mut self, node: &'ast syn::ExprMatch) {
        self.matches.push(range(node));
        visit::visit_expr_match(self, node);
    }

    fn visit_expr_struct(&mut self, node: &'ast syn::ExprStruct) {
        self.structs.push(range(node));
        visit::visit_expr_struct(self, node);
    }

    fn visit_item_const(&mut self, node: &'ast syn::ItemConst) {
        self.constant.push(range(node));
    }

    fn visit_impl_item_const(&mut self, node: &'ast syn::ImplItemConst) {
        self.constant.push(range(node));
    }

    fn visit_item_static(&mut self, node: &'ast syn::ItemStatic) {
        self.constant.push(range(node));
    }

    fn visit_type_array(&mut self, node: &'ast syn::TypeArray) {
        self.constant.push(range(node));
    }

    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        if node.sig.constness.is_some() {
            self.constant.push(range(node));
        }
        visit::visit_item_fn(self, node);
    }

    fn visit_impl_item_fn(&mut self, node: &'ast syn::ImplItemFn) {
        if node.sig.constness.is_some() {
            self.constant.push(range(node));
        }
        visit::visit_impl_item_fn(self, node);
    }
}
