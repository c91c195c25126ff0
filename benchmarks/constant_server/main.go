// A model server that does no work, so that what is measured is the client.
//
//	constant_server [-listen 127.0.0.1:0] -test-bytes 3136 FOLDER
//
// FOLDER/metadata answers GetModelMetadata. FOLDER/N answers a Predict request of N tests; how many it has is told by its
// length, for nothing is parsed here. Everything else is UNIMPLEMENTED. The address stands on the first line of output.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// raw takes messages as they come off the wire, and hands them out so.
type raw struct{}

func (raw) Name() string                             { return "proto" }
func (raw) Marshal(message any) ([]byte, error)      { return message.([]byte), nil }
func (raw) Unmarshal(data []byte, message any) error { *message.(*int) = len(data); return nil }

func method(name string, answer func(length int) ([]byte, error)) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(
		_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
	) (any, error) {
		var length int
		if err := decode(&length); err != nil {
			return nil, err
		}
		return answer(length)
	}}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "host:port, 0 for a free one")
	testBytes := flag.Int("test-bytes", 3136, "length of one test in a request")
	flag.Parse()
	replies := map[int][]byte{}
	var metadata []byte
	files, _ := filepath.Glob(filepath.Join(flag.Arg(0), "*"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			log.Fatal(err)
		}
		if tests, err := strconv.Atoi(filepath.Base(file)); err == nil {
			replies[tests] = data
		} else {
			metadata = data
		}
	}
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.MaxRecvMsgSize(math.MaxInt32))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "tensorflow.serving.PredictionService",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			method("GetModelMetadata", func(int) ([]byte, error) { return metadata, nil }),
			method("Predict", func(length int) ([]byte, error) {
				reply, known := replies[length / *testBytes]
				if !known {
					return nil, status.Errorf(codes.InvalidArgument, "no reply for %d bytes", length)
				}
				return reply, nil
			}),
		},
	}, struct{}{})
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	log.Fatal(server.Serve(listener))
}
