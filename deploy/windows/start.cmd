@echo off
rem Starts Quarterdeck by a double click. What it is given goes on to start.ps1.
powershell.exe -NoLogo -NoProfile -ExecutionPolicy Bypass -File "%~dp0start.ps1" %*
set "code=%errorlevel%"
if not "%code%"=="0" pause
exit /b %code%
