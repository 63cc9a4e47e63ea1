//! `rust-loader MODE DIR` loads every `*.safetensors` file in DIR and prints one line a tensor, sorted:
//! name, dtype, shape and the SHA-256 of its bytes, separated by tabs.
//!
//! MODE says how the files are touched:
//! `read` reads each whole; `mmap` maps it MAP_SHARED; `copy` maps it MAP_PRIVATE; `populate` asks for
//! MAP_POPULATE; `willneed`, `seq` and `random` map it with that madvise; `mt` maps it and reads from four threads.
use memmap2::{Advice, Mmap, MmapOptions};
use safetensors::{tensor::TensorView, SafeTensors};
use sha2::{Digest, Sha256};
use std::{env, error::Error, fs, io, path::Path, path::PathBuf, thread};

const THREADS: usize = 4;

type Tensors<'a> = [(String, TensorView<'a>)];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [mode, dir] = args.as_slice() else {
        return Err("usage: rust-loader MODE DIR".into());
    };
    let mut lines = Vec::new();
    for path in weight_files(dir)? {
        lines.extend(load(mode, &path)?);
    }
    lines.sort();
    for line in lines {
        println!("{line}");
    }
    Ok(())
}

fn weight_files(dir: &str) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|x| x == "safetensors") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn load(mode: &str, path: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    if mode == "read" {
        let bytes = fs::read(path)?;
        return Ok(describe(&SafeTensors::deserialize(&bytes)?.tensors()));
    }
    let map = map(mode, path)?;
    let tensors = SafeTensors::deserialize(&map)?.tensors();
    Ok(if mode == "mt" { describe_in_threads(&tensors) } else { describe(&tensors) })
}

fn map(mode: &str, path: &Path) -> Result<Mmap, Box<dyn Error>> {
    let file = fs::File::open(path)?;
    // SAFETY: nothing truncates the file while it is mapped; it lives on a read-only mount.
    let map = unsafe {
        match mode {
            "copy" => MmapOptions::new().map_copy_read_only(&file)?,
            "populate" => MmapOptions::new().populate().map(&file)?,
            _ => MmapOptions::new().map(&file)?,
        }
    };
    match mode {
        "mmap" | "copy" | "populate" | "mt" => {}
        "willneed" => map.advise(Advice::WillNeed)?,
        "seq" => map.advise(Advice::Sequential)?,
        "random" => map.advise(Advice::Random)?,
        _ => return Err(format!("unknown mode {mode}").into()),
    }
    Ok(map)
}

fn describe(tensors: &Tensors) -> Vec<String> {
    tensors.iter().map(|(name, tensor)| line(name, tensor)).collect()
}

/// Each thread takes every fourth tensor, so that all of them read all over the file.
fn describe_in_threads(tensors: &Tensors) -> Vec<String> {
    let share = |i| tensors.iter().skip(i).step_by(THREADS).map(|(name, tensor)| line(name, tensor)).collect();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|i| scope.spawn(move || -> Vec<String> { share(i) })).collect();
        workers.into_iter().flat_map(|w| w.join().expect("a worker panicked")).collect()
    })
}

fn line(name: &str, tensor: &TensorView) -> String {
    let digest = Sha256::digest(tensor.data());
    format!("{name}\t{:?}\t{:?}\t{digest:x}", tensor.dtype(), tensor.shape())
}
