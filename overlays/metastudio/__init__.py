"""Client for Huawei Cloud MetaStudio training jobs (placeholder; the lead fills the lazy exports)."""
