# Puts in what a sandbox needs and an image may lack. What is there stays as it is: a sandbox that is
# started again may have changed it. Read by the image's own sh; what follows this text writes the
# files that belong to one start. Prints what could not be had, each a line.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# has NAME FILE: whether a line of the file is about that name.
has() {
  [ -e "$2" ] || return 1
  while IFS= read -r l || [ -n "$l" ]; do
    case $l in "$1":*) return 0 ;; esac
  done < "$2"
  return 1
}

# put FILE MODE: writes a file anew from standard input; what is in its place is not written through.
put() {
  rm -f "$1"
  (umask 077 && cat > "$1")
  chmod "$2" "$1"
}

sshd=
for p in /usr/sbin/sshd /usr/bin/sshd /usr/local/sbin/sshd; do
  if [ -x "$p" ]; then sshd=$p; break; fi
done
if [ -z "$sshd" ]; then
  echo "there is no sshd in the image (Debian has it in openssh-server)" >&2
  exit 1
fi
shell=/bin/sh
if [ -x /bin/bash ]; then shell=/bin/bash; fi

mkdir -p /etc /home /run/sshd /run/wharf

# An engine tells a container without a network nothing of its own name, which sudo looks up.
read -r name < /etc/hostname
known=
while read -r l; do
  case " $l " in *[[:space:]]"$name"[[:space:]]*) known=yes ;; esac
done < /etc/hosts
[ -n "$known" ] || echo "127.0.0.1 $name" >> /etc/hosts

if ! has user /etc/passwd; then
  if command -v useradd > /dev/null; then
    # A star is no password; the exclamation mark that there would be otherwise closes the account.
    useradd -m -s "$shell" -p '*' user < /dev/null
  else
    echo "user:x:1000:1000:user:/home/user:$shell" >> /etc/passwd
    has user /etc/group || echo "user:x:1000:" >> /etc/group
    has user /etc/shadow || echo "user:*:19000:0:99999:7:::" >> /etc/shadow
    chmod 600 /etc/shadow
  fi
fi
has sshd /etc/passwd || echo "sshd:x:101:65534::/run/sshd:/bin/false" >> /etc/passwd
for d in /home/user /home/user/workspace; do
  if [ ! -d "$d" ]; then
    mkdir "$d"
    chown user: "$d"
  fi
done

if command -v sudo > /dev/null; then
  mkdir -p /etc/sudoers.d /etc/pam.d
  if [ ! -e /etc/sudoers ]; then
    put /etc/sudoers 440 <<'.wharf-end'
Defaults env_reset, !fqdn, !lecture, !mail_badpass
root ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
.wharf-end
  fi
  put /etc/sudoers.d/wharf 440 <<'.wharf-end'
user ALL=(ALL:ALL) NOPASSWD: ALL
.wharf-end
  if [ ! -e /etc/pam.d/sudo ]; then
    put /etc/pam.d/sudo 644 <<'.wharf-end'
auth     sufficient pam_rootok.so
auth     required   pam_permit.so
account  required   pam_permit.so
password required   pam_deny.so
session  required   pam_permit.so
.wharf-end
  fi
else
  echo "there is no sudo in the image: become root by entering as root"
fi
