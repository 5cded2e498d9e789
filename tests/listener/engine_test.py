#!/usr/bin/env python3
"""The OpenSSL engine as a listener meets it: reads reference files, signs with a real token
(SoftHSM2 in the process), and tells every cause of failure apart, with nothing on stderr.

Usage: engine_test.py BUILD_FOLDER [unittest options]
"""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(sys.argv[1]).resolve()
ENGINE = BUILD / "lib/engines-3/keybroker.so"
SCRIPTED = BUILD / "lib/test/scripted_module.so"
NOLOGIN = BUILD / "lib/test/nologin_module.so"
READ_KEY = BUILD / "bin/read_key"
WRITE_REFERENCE = BUILD / "bin/write_reference"

CKR_GENERAL_ERROR, CKR_FUNCTION_REJECTED = 0x5, 0x200
CKR_DEVICE_ERROR, CKR_TOKEN_NOT_PRESENT = 0x30, 0xE0
UNKNOWN_ID = "beef"
CONFIGURATION = """openssl_conf = openssl_init
[openssl_init]
engines = engine_section
[engine_section]
keybroker = keybroker_section
[keybroker_section]
engine_id = keybroker
dynamic_path = {engine}
MODULE_PATH = {module}
init = {init}
"""


class EngineCase(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kbe"))
        self.folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.folder)
        self.record = self.folder / "record"

    def reference(self, key_id=UNKNOWN_ID, path=None, tail=""):
        words = [WRITE_REFERENCE, key_id] + ([path] if path else [])
        pem = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        file = self.folder / f"{key_id}.pem"
        file.write_text(pem + tail)
        return file

    def read(self, file, *mode, module=SCRIPTED, script="", init=1, **options):
        """What read_key says, and that it says nothing else."""
        configuration = self.folder / "openssl.cnf"
        configuration.write_text(CONFIGURATION.format(engine=ENGINE, module=module, init=init))
        environment = dict(os.environ, OPENSSL_CONF=str(configuration), KB_TEST_SCRIPT=script,
                           KB_TEST_RECORD=str(self.record))
        done = subprocess.run([READ_KEY, str(file), *mode], env=environment, timeout=60,
                              capture_output=True, text=True, check=False, **options)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.returncode, 1 if done.stdout.startswith("error") else 0, done.stdout)
        return done.stdout

    def listen(self):
        path = str(self.folder / "s")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen(8)
        return path


class TellsCausesApart(EngineCase):
    def test_a_missing_module_is_named(self):
        self.assertEqual(
            self.read(self.reference(), module="/nowhere/module.so"),
            "error PKCS#11 module missing: /nowhere/module.so: No such file or directory; "
            "correct MODULE_PATH\n")

    def test_a_relative_module_path_is_never_searched_for(self):
        self.assertEqual(
            self.read(self.reference(), module="module.so"),
            'error PKCS#11 module missing: MODULE_PATH "module.so" is not an absolute path\n')

    def test_a_file_that_is_no_library_is_not_a_module(self):
        text = self.folder / "text.so"
        text.write_text("not an ELF file, and long enough to be read as one: " + 64 * "x")
        self.assertEqual(self.read(self.reference(), module=text),
                         f"error not a PKCS#11 module: {text}: invalid ELF header\n")

    def test_a_library_without_the_entry_is_not_a_module(self):
        self.assertEqual(
            self.read(self.reference(), module=ENGINE),
            f"error not a PKCS#11 module: {ENGINE} has no C_GetFunctionList; correct MODULE_PATH\n")

    def test_a_library_whose_entry_gives_nothing_is_not_a_module(self):
        self.assertEqual(
            self.read(self.reference(), script="list=null"),
            f"error not a PKCS#11 module: {SCRIPTED}: C_GetFunctionList gave CKR_OK\n")

    def test_a_module_that_does_not_start_has_failed(self):
        self.assertEqual(
            self.read(self.reference(), script=f"C_Initialize={CKR_GENERAL_ERROR}"),
            f"error PKCS#11 module failed: {SCRIPTED}: C_Initialize gave CKR_GENERAL_ERROR\n")

    def test_nobody_at_the_socket_is_a_broker_away(self):
        path = str(self.folder / "s")
        self.assertEqual(
            self.read(self.reference(path=path), script="slots=0"),
            f"error broker away: {path}: No such file or directory; is keybrokerd running? "
            "see: keybroker doctor\n")

    def test_a_socket_left_behind_is_a_broker_away(self):
        path = str(self.folder / "s")
        left = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        left.bind(path)
        left.close()
        self.assertEqual(
            self.read(self.reference(path=path), script=f"C_GetTokenInfo={CKR_TOKEN_NOT_PRESENT}"),
            f"error broker away: {path}: Connection refused; is keybrokerd running? "
            "see: keybroker doctor\n")

    def test_a_broker_without_token_is_a_token_away(self):
        path = self.listen()
        for script, call in (("slots=0", "C_GetTokenInfo"),
                             (f"C_GetTokenInfo={CKR_TOKEN_NOT_PRESENT}", "C_GetTokenInfo"),
                             (f"C_OpenSession={CKR_TOKEN_NOT_PRESENT}", "C_OpenSession"),
                             (f"C_FindObjectsInit={CKR_TOKEN_NOT_PRESENT}", "C_FindObjects")):
            with self.subTest(script):
                self.assertEqual(
                    self.read(self.reference(path=path), script=script),
                    f"error token away: the broker answers at {path}, its token is away ({call} "
                    "gave CKR_TOKEN_NOT_PRESENT); see: keybroker status\n")

    def test_without_a_socket_broker_and_token_cannot_be_told_apart(self):
        self.assertEqual(
            self.read(self.reference(), script="slots=0"),
            "error broker away: no token (C_GetTokenInfo gave CKR_TOKEN_NOT_PRESENT), and the "
            "reference names no socket: broker or token is away; see: keybroker doctor\n")

    def test_another_token_is_a_token_away(self):
        self.assertEqual(
            self.read(self.reference(), script="label=somebody else"),
            f"error token away: {SCRIPTED} has tokens, but none with the label keybroker\n")

    def test_a_key_that_is_not_shown_is_named_by_its_id(self):
        self.assertEqual(
            self.read(self.reference("00ff80")),
            "error key not found: this listener is shown no private key with id 00ff80; "
            "see: keybroker key list, keybroker listener show\n")

    def test_a_brokers_refusal_is_told_from_absence(self):
        path = self.listen()
        self.assertEqual(
            self.read(self.reference(path=path), script=f"C_OpenSession={CKR_FUNCTION_REJECTED}"),
            f"error listener refused: the broker refuses this process as listener at {path} "
            "(C_OpenSession gave CKR_FUNCTION_REJECTED); see: keybroker why, "
            "keybroker listener show\n")

    @unittest.skipUnless(os.geteuid() == 0, "needs root rights, to give them up")
    def test_a_socket_that_may_not_be_used_is_a_refusal(self):
        path = self.listen()
        os.chmod(path, 0o600)
        reference = self.reference(path=path)
        self.record.touch()
        self.record.chmod(0o666)
        self.assertEqual(
            self.read(reference, script="slots=0", user=65534, group=65534, extra_groups=[]),
            f"error listener refused: this process (uid 65534) may not connect to {path}: "
            "Permission denied; see: keybroker listener show\n")


class ReadsReferencesOneWayOnly(EngineCase):
    MALFORMED = "error malformed reference: "

    def der(self, *path):
        pem = self.reference(*path)
        return bytearray(subprocess.run(["openssl", "base64", "-d"], check=True,
                                        input=b"\n".join(pem.read_bytes().split(b"\n")[1:-2]) + b"\n",
                                        capture_output=True).stdout)

    def file_of(self, der):
        text = subprocess.run(["openssl", "base64"], input=bytes(der), check=True,
                              capture_output=True).stdout.decode()
        file = self.folder / "changed.pem"
        file.write_text(f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n")
        return file

    def test_the_socket_travels_to_the_module_and_is_stripped_from_the_uri(self):
        self.read(self.reference(path="/run/keybroker/smtp/socket"))
        self.assertEqual(self.record.read_text(), "socket=/run/keybroker/smtp/socket\n")

    def test_without_a_socket_the_module_is_told_nothing(self):
        self.read(self.reference())
        self.assertEqual(self.record.read_text(), "(null)\n")

    def test_another_uri_is_malformed(self):
        der = self.der()
        self.assertEqual(der.count(b"%BE%EF"), 1)
        answer = self.read(self.file_of(der.replace(b"%BE%EF", b"%be%ef")))
        self.assertEqual(answer, self.MALFORMED + "the key's URI is not one that keybroker writes; "
                         "make the file anew with: keybroker reference write\n")
        self.assertFalse(self.record.exists())

    def test_another_version_is_malformed(self):
        der = self.der()
        der[4] = 1
        self.assertEqual(self.read(self.file_of(der)),
                         self.MALFORMED + "version, parameters, attributes or length are not a "
                         "reference's; make the file anew with: keybroker reference write\n")

    def test_parameters_are_malformed(self):
        der = self.der()
        # SEQUENCE { OID } of 23 bytes becomes SEQUENCE { OID, NULL }; the outer length grows too.
        der[1] += 2
        der[6] += 2
        der[28:28] = b"\x05\x00"
        self.assertEqual(self.read(self.file_of(der)),
                         self.MALFORMED + "version, parameters, attributes or length are not a "
                         "reference's; make the file anew with: keybroker reference write\n")

    def test_no_truncated_or_flipped_file_reaches_the_module(self):
        der = self.der()
        for size in range(0, len(der), 5):
            self.read_quietly(self.file_of(der[:size]))
        for at in range(0, len(der), 3):
            changed = bytearray(der)
            changed[at] ^= 0x20
            self.read_quietly(self.file_of(changed))

    def read_quietly(self, file):
        """Whatever OpenSSL says of it: no key, no crash, nothing on stderr, no call of the module."""
        configuration = self.folder / "openssl.cnf"
        configuration.write_text(CONFIGURATION.format(engine=ENGINE, module=SCRIPTED, init=1))
        done = subprocess.run([READ_KEY, str(file)], timeout=60, capture_output=True, check=False,
                              env=dict(os.environ, OPENSSL_CONF=str(configuration),
                                       KB_TEST_RECORD=str(self.record)))
        self.assertEqual((done.returncode, done.stderr), (1, b""))
        # A flipped bit in the id's digits is another key's well-formed reference.
        if not done.stdout.startswith(b"error key not found"):
            self.assertFalse(self.record.exists(), done.stdout)
        self.record.unlink(missing_ok=True)


class SignsWithTheToken(EngineCase):
    """The whole way but for the broker: engine, libp11, a module that needs no login, SoftHSM2."""
    KEYS = {"aa01": ("rsa:2048", "rsa 2048\n"), "ec01": ("EC:prime256v1", "ec 256\n"),
            "ec02": ("EC:secp384r1", "ec 384\n")}

    @classmethod
    def setUpClass(cls):
        cls.token = pathlib.Path(tempfile.mkdtemp(prefix="kbt"))
        cls.addClassCleanup(shutil.rmtree, cls.token)
        (cls.token / "tokens").mkdir()
        configuration = cls.token / "softhsm2.conf"
        configuration.write_text(f"directories.tokendir = {cls.token}/tokens\nlog.level = ERROR\n")
        os.environ.update(SOFTHSM2_CONF=str(configuration), KB_TEST_PIN="1234")
        tool = ["pkcs11-tool", "--module", "/usr/lib/softhsm/libsofthsm2.so"]
        commands = [["softhsm2-util", "--init-token", "--free", "--label", "keybroker", "--pin",
                     "1234", "--so-pin", "5678"]]
        for key_id, (kind, _) in cls.KEYS.items():
            commands.append(tool + ["--login", "--pin", "1234", "--token-label", "keybroker",
                                    "--keypairgen", "--key-type", kind, "--id", key_id,
                                    "--label", "mail.example.test"])
        for command in commands:
            subprocess.run(command, check=True, capture_output=True)

    def expect_signatures(self, *mode, **options):
        for key_id, (_, answer) in self.KEYS.items():
            with self.subTest(key_id):
                self.assertEqual(self.read(self.reference(key_id), *mode, module=NOLOGIN,
                                           **options), answer)

    def test_rsa_and_ec_sign_as_tls_does(self):
        self.expect_signatures()

    def test_a_socket_in_the_reference_makes_no_difference_to_the_key(self):
        file = self.reference("aa01", path="/run/keybroker/smtp/socket")
        self.assertEqual(self.read(file, module=NOLOGIN), "rsa 2048\n")

    def test_workers_forked_after_the_load_sign(self):
        self.expect_signatures("fork")

    def test_threads_sign_at_once(self):
        self.expect_signatures("threads")

    def test_a_configuration_read_twice_leaves_the_old_key_working(self):
        self.expect_signatures("twice")

    def test_an_engine_that_the_configuration_does_not_start_works(self):
        self.expect_signatures(init=0)

    def test_a_key_can_be_named_by_file_or_uri_through_the_engine(self):
        self.expect_signatures("engine")
        self.assertEqual(self.read("pkcs11:token=keybroker;id=%AA%01;type=private", "engine",
                                   module=NOLOGIN), "rsa 2048\n")

    def test_the_chain_may_follow_the_key_in_the_file(self):
        chain = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        self.assertEqual(self.read(self.reference("ec01", tail=chain), module=NOLOGIN), "ec 256\n")

    def test_a_key_that_is_not_on_the_token_is_named(self):
        self.assertEqual(
            self.read(self.reference("dead"), module=NOLOGIN),
            "error key not found: this listener is shown no private key with id dead; "
            "see: keybroker key list, keybroker listener show\n")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[2:])
