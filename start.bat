@echo off
rem Starts Footfall with Docker on Windows, and stops it; start.sh does so elsewhere.
rem Commands are called: where one is a batch file itself, it would not return otherwise.
setlocal EnableExtensions DisableDelayedExpansion
cd /d "%~dp0"

set "PROJECT=footfall"
set "OF_PROJECT=label=com.docker.compose.project=%PROJECT%"

if not "%~2"=="" goto usage
set "STACK="
set "MODE=%~1"
if not defined MODE goto whatever_there_is
for %%m in (basic nginx monitoring full) do if /i "%MODE%"=="%%m" set "STACK=%%m"
if defined STACK goto start_stack
if /i "%MODE%"=="local" goto start_local
if /i "%MODE%"=="swarm" goto refuse_swarm
if /i "%MODE%"=="stop" goto stop
goto usage

:usage
>&2 echo usage: start.bat [local ^| basic ^| nginx ^| monitoring ^| full ^| stop]
>&2 echo.
>&2 echo   (nothing)      full where a Docker engine answers, else local
>&2 echo   local          from source, in WSL: Footfall runs on Unix only
>&2 echo   basic          Footfall and Redis, on http://localhost:8000
>&2 echo   nginx          replicas behind nginx, on http://localhost, with PostgreSQL
>&2 echo   monitoring     basic, with Prometheus and Grafana
>&2 echo   full           nginx, Redis, PostgreSQL, Prometheus, Grafana; in development also a catcher of mails
>&2 echo   stop           stops what was started with Docker; no data is deleted
>&2 echo.
>&2 echo set REPLICAS=5 before starts five replicas; set TLS_DIR=... adds TLS (docs/tls.md).
exit /b 2

:whatever_there_is
call :find_engine
if not defined ENGINE (
    echo No Docker engine answers: starting the local service from source.
    goto start_local
)
echo A Docker engine answers: starting the full stack. start.bat local would do without.
set "STACK=full"
goto start_stack

rem From source -------------------------------------------------------------------------------------

:start_local
call wsl --status >nul 2>nul
if errorlevel 1 (
    call :fail "Footfall runs on Unix only: install WSL with wsl --install, or Docker Desktop"
    exit /b 1
)
call wsl ./start.sh local
exit /b %ERRORLEVEL%

:refuse_swarm
call :fail "a Swarm is made of Linux machines; run ./start.sh swarm on one of them"
exit /b 1

rem Stacks ------------------------------------------------------------------------------------------

:start_stack
call :require_engine
if errorlevel 1 exit /b 1
call :find_compose
if errorlevel 1 exit /b 1

set "FILES=-f compose/docker-compose.%STACK%.yaml"
if "%STACK%"=="basic" set "FILES=-f compose/docker-compose.yaml"
set "DIRECT="
if "%STACK%"=="basic" set "DIRECT=1"
if "%STACK%"=="monitoring" set "DIRECT=1"
if defined DIRECT set "FILES=%FILES% -f compose/docker-compose.direct.yaml"

if not defined REPLICAS if defined DIRECT set "REPLICAS=1"
if not defined REPLICAS set "REPLICAS=2"
set "VALID="
for /l %%n in (1,1,32) do if "%REPLICAS%"=="%%n" set "VALID=1"
if not defined VALID (
    call :fail "REPLICAS: there are slots for 1 to 32"
    exit /b 1
)
if defined DIRECT if not "%REPLICAS%"=="1" (
    call :fail "several replicas stand behind nginx: start.bat nginx, or full"
    exit /b 1
)

if defined DIRECT set "TLS_DIR="
if defined TLS_DIR (
    call :use_tls
    if errorlevel 1 exit /b 1
)
call :ask_compose
if errorlevel 1 exit /b 1
set "MAIL="
if "%STACK%"=="full" if "%PROFILE%"=="development" if not defined SMTP set "MAIL=1"
if defined MAIL set "FILES=%FILES% -f compose/docker-compose.mail.yaml"

if defined DIRECT (
    call :require_port 8000 footfall
    if errorlevel 1 exit /b 1
) else (
    call :require_port %PORT% nginx "HTTP_PORT=8080"
    if errorlevel 1 exit /b 1
)
if defined TLS_DIR (
    call :require_port %TLS_PORT% nginx "HTTPS_PORT=8443"
    if errorlevel 1 exit /b 1
)
set "MONITORED="
if "%STACK%"=="monitoring" set "MONITORED=1"
if "%STACK%"=="full" set "MONITORED=1"
if defined MONITORED (
    call :require_port 9090 prometheus
    if errorlevel 1 exit /b 1
    call :require_port 3000 grafana
    if errorlevel 1 exit /b 1
)
if defined MAIL (
    call :require_port 8025 mail
    if errorlevel 1 exit /b 1
)

set "BASE=http://localhost"
if defined DIRECT set "BASE=http://localhost:8000"
if not defined DIRECT if not "%PORT%"=="80" set "BASE=http://localhost:%PORT%"
if defined TLS_DIR set "BASE=https://localhost"
if defined TLS_DIR if not "%TLS_PORT%"=="443" set "BASE=https://localhost:%TLS_PORT%"
rem In production nobody guesses it: links in mails open accounts.
if not defined PUBLIC if not "%PROFILE%"=="production" set "FOOTFALL_PUBLIC_URL=%BASE%"

set "WAS_RUNNING="
for /f %%c in ('docker ps -q --filter "%OF_PROJECT%"') do set "WAS_RUNNING=1"

call docker image inspect "%WANTED%" >nul 2>nul
if errorlevel 1 (
    call :get_image
    if errorlevel 1 exit /b 1
)
if not defined DIRECT (
    call :make_passwords
    if errorlevel 1 exit /b 1
)
rem Wrong settings, and demo secrets in production, end here with one message each.
call %COMPOSE% %FILES% run --rm --no-deps -T footfall config >nul
if errorlevel 1 (
    if not defined WAS_RUNNING call %COMPOSE% %FILES% down >nul 2>nul
    call :fail "nothing was started; the reason is above, settings are in .env"
    exit /b 1
)

echo Starting the stack '%STACK%', replicas: %REPLICAS%.
call %COMPOSE% %FILES% up -d --remove-orphans --scale footfall=%REPLICAS%
if errorlevel 1 goto give_up
call :wait_until_healthy
if errorlevel 1 goto give_up

echo.
echo   Home page    %BASE%/
echo   Console      %BASE%/console/
echo   Swagger UI   %BASE%/swagger/
if defined MONITORED (
    echo   Prometheus   http://localhost:9090/
    echo   Grafana      http://localhost:3000/    as admin; the password is GRAFANA_PASSWORD of .env, as shipped: password
)
if defined MAIL echo   Mails        http://localhost:8025/    all of them: they are caught, and sent to nobody
echo   Log in       as FOOTFALL_ADMIN_USERNAME of .env, as shipped: admin, password
echo.
echo start.bat stop stops it; counts are kept.
if not defined LATE exit /b 0
call :fail "visits are counted, but the database is not ready: docs/postgres.md, When something is wrong"
exit /b 1

:give_up
>&2 echo.
call %COMPOSE% %FILES% logs --tail=5 --no-color >&2
if defined WAS_RUNNING (
    call :fail "the stack did not start; what runs was left as it is"
    exit /b 1
)
call %COMPOSE% %FILES% down --remove-orphans >nul 2>nul
call :fail "the stack did not start; it was taken down again, its data is kept"
exit /b 1

:stop
call :require_engine
if errorlevel 1 exit /b 1
set "FOUND="
for /f %%c in ('docker ps -aq --filter "%OF_PROJECT%"') do set "FOUND=1"
if not defined FOUND (
    echo Nothing was running.
    exit /b 0
)
call :find_compose
if errorlevel 1 exit /b 1
rem By the project's name; all of its services are in this file.
call %COMPOSE% -f compose/docker-compose.full.yaml down --remove-orphans
if errorlevel 1 (
    call :fail "not all was stopped; the reason is above"
    exit /b 1
)
echo Stopped. Counts are kept in the volume %PROJECT%_redis.
exit /b 0

rem Subroutines; each ends with errorlevel 0 or, after a message, 1 -----------------------------------

:fail
>&2 echo start.bat: %~1
exit /b 0

rem Sets PODMAN if docker is that: as a command, or as the engine behind Docker's own command.
:find_podman
set "PODMAN="
for /f %%v in ('docker --version') do if /i "%%v"=="podman" set "PODMAN=1"
for /f %%v in ('docker version --format "{{range .Server.Components}}{{.Name}} {{end}}" 2^>nul') do if /i "%%v"=="podman" set "PODMAN=1"
exit /b 0

rem Sets ENGINE to the engine's version, if one answers.
:find_engine
set "ENGINE="
call :find_podman
if defined PODMAN exit /b 0
for /f "delims=" %%v in ('docker version --format "{{.Server.Version}}" 2^>nul') do set "ENGINE=%%v"
exit /b 0

:require_engine
call docker --version >nul 2>nul
if errorlevel 1 (
    call :fail "docker is missing; see https://docs.docker.com/desktop/"
    exit /b 1
)
call :find_engine
if defined PODMAN (
    call :fail "docker is Podman here, and the stacks are made for Docker's own engine; see https://docs.docker.com/desktop/"
    exit /b 1
)
if not defined ENGINE (
    call :fail "no Docker engine answers; start Docker Desktop and wait until it says that it runs"
    exit /b 1
)
set "ENGINE_OS="
for /f "delims=" %%o in ('docker version --format "{{.Server.Os}}" 2^>nul') do set "ENGINE_OS=%%o"
if not "%ENGINE_OS%"=="linux" (
    call :fail "this engine runs Windows containers; switch Docker Desktop to Linux containers"
    exit /b 1
)
set "OLD=1"
for /f "tokens=1,2 delims=." %%a in ("%ENGINE%") do (
    if %%a GTR 20 set "OLD="
    if %%a EQU 20 if %%b GEQ 10 set "OLD="
)
if defined OLD (
    call :fail "the Docker engine is %ENGINE%; the stack needs 20.10 or newer"
    exit /b 1
)
exit /b 0

rem Compose v2, or docker-compose 1.29.
:find_compose
set "COMPOSE="
call docker compose version >nul 2>nul
if not errorlevel 1 set "COMPOSE=docker compose"
if defined COMPOSE goto found_compose
call docker-compose version >nul 2>nul
if errorlevel 1 (
    call :fail "neither docker compose nor docker-compose is there; see https://docs.docker.com/compose/install/"
    exit /b 1
)
set "VERSION="
for /f "delims=" %%v in ('docker-compose version --short 2^>nul') do set "VERSION=%%v"
for /f "tokens=1,2 delims=.v" %%a in ("%VERSION%") do (
    if %%a GEQ 2 set "COMPOSE=docker-compose"
    if %%a EQU 1 if %%b GEQ 29 set "COMPOSE=docker-compose"
)
if not defined COMPOSE (
    call :fail "docker-compose is %VERSION%; the stack needs 1.29 or newer"
    exit /b 1
)
:found_compose
if not exist .env (
    call :fail ".env is missing; get it back with: git checkout .env"
    exit /b 1
)
set "COMPOSE=%COMPOSE% --project-name %PROJECT% --env-file .env"
exit /b 0

rem Of PostgreSQL's roles, each in a file that containers may read. What is there is never changed.
:make_passwords
for %%n in (database_password database_owner_password database_monitor_password) do (
    call :make_password "config\postgres\secrets\%%n"
    if errorlevel 1 exit /b 1
)
exit /b 0

:make_password
set "SIZE="
for %%f in ("%~1") do set "SIZE=%%~zf"
rem An engine that was started without it has made a folder of this name.
if exist "%~1\" rmdir "%~1"
if exist "%~1" if not "%SIZE%"=="0" exit /b 0
call powershell -NoProfile -Command "$b = New-Object byte[] 48; [Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($b); [IO.File]::WriteAllText((Join-Path $PWD '%~1'), [Convert]::ToBase64String($b))"
if errorlevel 1 (
    call :fail "%~1 was not made; the reason is above"
    exit /b 1
)
echo Made the password %~1.
for /f %%v in ('docker volume ls -q --filter "name=%PROJECT%_postgres"') do (
    echo The volume %PROJECT%_postgres is older, and has another: docs/postgres.md, "Change the passwords".
)
exit /b 0

rem Sets WANTED, PORT, TLS_PORT, PROFILE, PUBLIC and SMTP to what Compose makes of its files, the environment and .env. It
rem prints services in the order of their names, so ours comes before those that depend on it. Only
rem nginx has the ports 80 and 443. The database of init-database is that of the owner of its schema.
:ask_compose
call %COMPOSE% %FILES% config -q
if errorlevel 1 (
    call :fail "the settings of the stack are wrong; the reason is above"
    exit /b 1
)
set "WANTED="
set "PORT="
set "TLS_PORT="
set "OURS="
set "REDIS="
set "DATABASE="
set "OWNER="
set "PROFILE="
set "PUBLIC="
set "SMTP="
set "TARGET="
set "PUBLISHED="
for /f "tokens=1-3" %%a in ('%COMPOSE% %FILES% config') do (
    if "%%~a"=="footfall:" set "OURS=1"
    if "%%~a"=="image:" call :found_image "%%~b"
    if "%%~a"=="FOOTFALL_ENV:" if not defined PROFILE set "PROFILE=%%~b"
    if "%%~a"=="FOOTFALL_PUBLIC_URL:" if not "%%~b"=="" if not "%%~b"=="''" set "PUBLIC=%%~b"
    for %%s in (FOOTFALL_SMTP_URL: FOOTFALL_SMTP_URL_FILE:) do if "%%~a"=="%%s" if not "%%~b"=="" if not "%%~b"=="''" set "SMTP=1"
    if "%%~a"=="REDIS_URL:" set "REDIS=%%~b"
    if "%%~a"=="DATABASE_URL:" if defined DATABASE if not "%%~b"=="" if not "%%~b"=="''" set "OWNER=%%~b"
    if "%%~a"=="DATABASE_URL:" if not defined DATABASE if not "%%~b"=="" if not "%%~b"=="''" set "DATABASE=%%~b"
    rem The next item of a list, which may be a volume with a target of its own.
    if "%%~a"=="-" set "PUBLISHED="
    if "%%~a"=="-" set "TARGET="
    if "%%~a"=="-" call :found_port "%%~b" "%%~c"
    if "%%~a"=="target:" call :found_port "%%a" "%%~b"
    if "%%~a"=="published:" call :found_port "%%a" "%%~b"
)
set "UNKNOWN="
if not defined WANTED set "UNKNOWN=1"
if not defined DIRECT if not defined PORT set "UNKNOWN=1"
if defined TLS_DIR if not defined TLS_PORT set "UNKNOWN=1"
if defined UNKNOWN (
    call :fail "this shows no image or no port, which is not understood: %COMPOSE% %FILES% config"
    exit /b 1
)
set "URL=%REDIS%"
call :require_reachable REDIS_URL Redis
if errorlevel 1 exit /b 1
set "URL=%DATABASE%"
call :require_reachable DATABASE_URL PostgreSQL
if errorlevel 1 exit /b 1
set "URL=%OWNER%"
call :require_reachable DATABASE_OWNER_URL PostgreSQL
exit /b %ERRORLEVEL%

rem NAME WHAT: the setting of this name is URL, which leads to WHAT.
:require_reachable
call :find_itself
if not defined ITSELF exit /b 0
call :fail "%1 leads to this machine, which in a container is the container itself: unset it to use the %2 of the stack, or name an address that containers reach, such as host.docker.internal"
exit /b 1

:found_image
if defined OURS if not defined WANTED set "WANTED=%~1"
exit /b 0

rem KEY VALUE, or as docker-compose 1.29 has it where there is an address: ADDRESS:PORT:TARGET/tcp
:found_port
if "%~1"=="published:" set "PUBLISHED=%~2"
if "%~1"=="target:" set "TARGET=%~2"
for /f "tokens=1-4 delims=:/" %%w in ("%~1") do (
    if "%%z"=="tcp" set "PUBLISHED=%%x"
    if "%%z"=="tcp" set "TARGET=%%y"
)
if not defined PUBLISHED exit /b 0
if not defined TARGET exit /b 0
if "%TARGET%"=="80" if not defined PORT set "PORT=%PUBLISHED%"
if "%TARGET%"=="443" if not defined TLS_PORT set "TLS_PORT=%PUBLISHED%"
set "PUBLISHED="
set "TARGET="
exit /b 0

rem Sets ITSELF if a host of URL is this machine itself, or a Unix socket of it.
:find_itself
set "ITSELF="
set "HOSTS="
if not defined URL exit /b 0
for /f "tokens=1,* delims=:" %%x in ("%URL%") do (
    for %%s in (unix redis+unix valkey+unix) do if /i "%%x"=="%%s" set "ITSELF=1"
    set "HOSTS=%%y"
)
if defined ITSELF exit /b 0
if not defined HOSTS exit /b 0
for /f "tokens=1 delims=/?#" %%h in ("%HOSTS%") do set "HOSTS=%%h"
:next_credentials
set "REST="
for /f "tokens=1,* delims=@" %%x in ("%HOSTS%") do set "REST=%%y"
if defined REST (
    set "HOSTS=%REST%"
    goto next_credentials
)
for %%h in (%HOSTS%) do call :is_itself "%%h"
exit /b 0

:is_itself
set "HOST=%~1"
for /f "tokens=1 delims=:" %%n in ("%HOST%") do set "NAME=%%n"
if /i "%NAME%"=="localhost" set "ITSELF=1"
if "%NAME%"=="0.0.0.0" set "ITSELF=1"
if "%NAME:~0,4%"=="127." set "ITSELF=1"
if "%HOST:~0,5%"=="[::1]" set "ITSELF=1"
exit /b 0

rem Builds the image of this source, or pulls another.
:get_image
if not "%WANTED%"=="footfall:latest" (
    call docker pull "%WANTED%"
    if not errorlevel 1 exit /b 0
    call :fail "there is no image %WANTED% here, and it cannot be pulled"
    exit /b 1
)
echo Building the image from source; this takes some minutes, once.
call %COMPOSE% %FILES% build footfall
if not errorlevel 1 exit /b 0
call :fail "the image was not built; the reason is above"
exit /b 1

rem Makes TLS_DIR a full path, since compose would look beside its own files.
:use_tls
for %%d in ("%TLS_DIR%") do set "TLS_DIR=%%~fd"
set "MISSING="
if not exist "%TLS_DIR%\tls.crt" set "MISSING=1"
if not exist "%TLS_DIR%\tls.key" set "MISSING=1"
if defined MISSING (
    call :fail "TLS_DIR: %TLS_DIR% has no tls.crt and tls.key; see docs/tls.md"
    exit /b 1
)
set "FILES=%FILES% -f compose/docker-compose.tls.yaml"
exit /b 0

rem PORT SERVICE [SETTING]: free, or taken by this service of ours.
:require_port
for /f %%c in ('docker ps -q --filter "%OF_PROJECT%" --filter "label=com.docker.compose.service=%2"') do exit /b 0
call powershell -NoProfile -Command "try { (New-Object Net.Sockets.TcpClient('127.0.0.1', %1)).Close(); exit 7 } catch { exit 0 }" >nul 2>nul
if not "%ERRORLEVEL%"=="7" exit /b 0
set "HINT="
if not "%~3"=="" set "HINT=, or set another before: set %~3"
call :fail "port %1 is in use by something else; stop that%HINT%"
exit /b 1

rem Waits two minutes at most until no container is starting, restarting or unhealthy. The database
rem alone, which is LATE then, is no reason to fail: visits are counted without.
:wait_until_healthy
set "TRIES=0"
:wait_more
call :find_unhealthy
if not defined UNHEALTHY if not defined LATE exit /b 0
if %TRIES% EQU 0 echo Waiting until all is healthy.
set /a TRIES+=1
if %TRIES% LSS 120 (
    ping -n 2 127.0.0.1 >nul
    goto wait_more
)
if defined UNHEALTHY exit /b 1
exit /b 0

:find_unhealthy
set "UNHEALTHY="
set "LATE="
for %%f in ("health=starting" "health=unhealthy" "status=restarting") do (
    for /f %%c in ('docker ps -a --filter "%OF_PROJECT%" --filter %%f --format "{{.Names}}"') do call :found_unhealthy "%%c"
)
exit /b 0

rem CONTAINER: of PostgreSQL, its exporter or init-database, or of what is needed to count.
:found_unhealthy
set "NAME=%~1"
if not "%NAME:postgres=%"=="%NAME%" (
    set "LATE=1"
    exit /b 0
)
if not "%NAME:init-database=%"=="%NAME%" (
    set "LATE=1"
    exit /b 0
)
set "UNHEALTHY=1"
exit /b 0
