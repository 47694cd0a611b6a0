//! The service seen from outside: real requests, the emulator in the place of Azure Communication Services.
#![cfg(test)]

mod api;
mod setup;
mod web_hero;
