//! Text to analysis: what a shell command would do, read from its parse tree.
