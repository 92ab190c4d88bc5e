//! Any text as a board's file, and as the base of all boards: refused naming the file, or a board whose command line GRUB
//! reads as it stands.
#![no_main]
use image::{board::Board, grub};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

const BASE: &str = include_str!("../../../boards/base.toml");
const BOARD: &str = include_str!("../../../boards/x86-64/board.toml");

fuzz_target!(|text: &str| {
    for (base, board) in [(BASE, text), (text, BOARD)] {
        match Board::parse("fuzz", Path::new("boards"), base, board) {
            Ok(board) => {
                let before = grub::config(&Board::parse("x", Path::new("boards"), BASE, BOARD).expect("ours"));
                // A board adds words to one line, whatever they are: it can never add a line of GRUB code.
                assert_eq!(grub::config(&board).lines().count(), before.lines().count());
                let line = board.command_line();
                assert!(!line.contains(['"', '\'', '$', '\\', ';', '\n', '{', '}']), "{line:?}");
            }
            Err(told) => assert!(told.to_string().contains(".toml"), "{told}"),
        }
    }
});
