//! What looks into programs that do wrong with memory: the sanitizers, valgrind, debuggers.

use super::{Class, Rule, at, has};
use crate::digest::blocks::Block;

use Class::{Detail, Fail, Open, Sum};

pub(super) const RULES: &[Rule] = &[
    // sanitizers
    has("SUMMARY: ", "Sanitizer", Sum),
    has("ERROR: ", "Sanitizer", Open(Block::ToBlank)),
    has("WARNING: ", "Sanitizer", Open(Block::ToBlank)),
    has("", ": runtime error: ", Open(Block::Deeper)),
    at("READ of size ", Open(Block::ToBlank)),
    at("WRITE of size ", Open(Block::ToBlank)),
    has("freed by thread ", "", Open(Block::ToBlank)),
    has("previously allocated by thread ", "", Open(Block::ToBlank)),
    has("allocated by thread ", "", Open(Block::ToBlank)),
    has("0x", " is located ", Fail),
    at("Direct leak of ", Open(Block::ToBlank)),
    at("Indirect leak of ", Open(Block::ToBlank)),
    has("WARNING: DATA RACE", "", Open(Block::Until(&["====="]))),
    at("Shadow bytes around", Detail(Block::Deeper)),
    at("Shadow byte legend", Detail(Block::Deeper)),
    // valgrind
    at("Invalid read of size ", Open(Block::Deeper)),
    at("Invalid write of size ", Open(Block::Deeper)),
    at("Invalid free()", Open(Block::Deeper)),
    at("Mismatched free()", Open(Block::Deeper)),
    at("Conditional jump or move depends", Open(Block::Deeper)),
    at("Use of uninitialised value", Open(Block::Deeper)),
    has("Syscall param ", "uninitialised", Open(Block::Deeper)),
    at("Source and destination overlap", Open(Block::Deeper)),
    at(
        "Process terminating with default action",
        Open(Block::Deeper),
    ),
    has(
        "",
        "are definitely lost in loss record",
        Open(Block::Deeper),
    ),
    has(
        "",
        "are possibly lost in loss record",
        Detail(Block::Deeper),
    ),
    at("ERROR SUMMARY: ", Sum),
    // debuggers
    at("Program received signal ", Open(Block::ToBlank)),
    has("Thread ", " received signal ", Open(Block::ToBlank)),
    at("Program terminated with signal ", Open(Block::ToBlank)),
];
