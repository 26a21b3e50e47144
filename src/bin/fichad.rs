//! The daemon beside the registers; everything it does is in the library.

fn main() -> std::process::ExitCode {
    fichad::cli::serve::main()
}
