<?php
// A guest book: what is posted is in a file of the volume.
$file = '/var/www/data/book';
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
	$f = fopen($file, 'a');
	fwrite($f, file_get_contents('php://input') . "\n");
	fflush($f);
	fsync($f);
}
header('Content-Type: text/plain');
echo posix_getuid() === 0 ? "root\n" : "not root\n";
echo file_exists($file) ? file_get_contents($file) : '';
