<#
.SYNOPSIS
    Starts Quarterdeck: its engine and its panel, until this window or the task is ended.
.DESCRIPTION
    Finds a Python that is new enough and runs run.py with it, which makes the environment at the
    first start. docs/deploy.md says how to have the Task Scheduler start it.
.PARAMETER Data
    The data folder; the project's own "data" unless it is given, or QUARTERDECK_DATA is set.
.PARAMETER NoBrowser
    Open no browser: for the Task Scheduler.
#>
[CmdletBinding()]
param(
    [string] $Data = '',
    [switch] $NoBrowser
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$root = Split-Path -Parent (Split-Path -Parent $PSScriptRoot)
if ($Data) { $env:QUARTERDECK_DATA = $Data }
if ($NoBrowser) { $env:QUARTERDECK_NO_BROWSER = '1' }

# Windows PowerShell takes a line on a program's stderr for an error, and would end here.
$ErrorActionPreference = 'Continue'

# The launcher of python.org first, for it knows every version that is installed.
$candidates = @(
    @('py', '-3.13'), @('py', '-3.12'), @('py', '-3.11'), @('python')
)
$check = 'import sys; sys.exit(0 if sys.version_info[:2] >= (3, 11) else 1)'
foreach ($candidate in $candidates) {
    $program = $candidate[0]
    $options = @($candidate | Select-Object -Skip 1)
    if (-not (Get-Command $program -ErrorAction SilentlyContinue)) { continue }
    & $program @options -c $check 2>$null
    if ($LASTEXITCODE -ne 0) { continue }
    Set-Location -LiteralPath $root
    & $program @options (Join-Path $root 'run.py')
    exit $LASTEXITCODE
}

Write-Error -Message (
    'Quarterdeck needs Python 3.11 or newer: install it from https://www.python.org/downloads/ ' +
    'and start again.'
)
exit 2
