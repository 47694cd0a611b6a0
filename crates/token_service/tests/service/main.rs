//! The service seen from outside: real requests, the emulator in the place of Azure Communication Services.
#![cfg(test)]

mod api;
mod callers;
mod deletion;
mod first_sign_in;
mod operations;
mod setup;
mod teams;
mod tokens;
mod web_hero;
