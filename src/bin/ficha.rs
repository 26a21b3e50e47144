//! The command line; everything it does is in the library.

/// Half of what the committer and sled do is to allocate small pieces on one thread that another frees.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    fichad::cli::main()
}
