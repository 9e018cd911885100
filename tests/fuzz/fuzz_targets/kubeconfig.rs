#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mizar_fuzz::kubeconfig(data));
