//! The service seen from outside: real requests, the emulator in the place of Azure Communication Services.
#![cfg(test)]

mod api;
mod callers;
mod deletion;
mod first_sign_in;
mod gate;
mod operations;
mod replicas;
mod setup;
mod storms;
mod teams;
mod tokens;
mod users;
mod web_hero;
