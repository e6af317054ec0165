//! Compares the documentation with the program: the schema of the configuration, the pages, the
//! manual. These tests run only commands that need no network. tests/integration/ compares the
//! outputs and messages that the pages show with those of whole runs. Also tests the form of the
//! source files.

mod commands;
mod config;
mod configuration;
mod form;
mod keys;
mod links;
mod manual;
mod pages;
mod program;
mod readme;
mod rooms;
mod scripts;
