"""Backups: one file each, made and verified beside a working engine, and put back."""
