//! An output as a model should read it, within a budget of tokens.
